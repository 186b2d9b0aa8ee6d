//! `backburn study`: a study from its file, here or by a scheduler, and its trials one by one.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use backburn_studies::arms::{Attempt, attempt_alone};
use backburn_studies::carry_out::PlannedStudy;
use backburn_studies::engine;
use backburn_studies::engine::slurm::requeue;
use backburn_studies::status::{self, is_cancelled};
use backburn_studies::study_file::{STUDY_FILE, StudyFile};
use backburn_studies::submit::{self, HandOver};
use backburn_training::failure::{Failure, usage};
use backburn_training::run_options::RunOptions;
use clap::{Args, Subcommand};

use crate::environment;
use crate::interrupt::{self, Notices, StopOn};
use crate::output::{print_data, print_line, say};
use crate::pages::pages_if;
use crate::study_run::{PlaceFlags, StudyFlags, StudyRun, this_program};
use crate::terminal::Terminal;
use crate::threads::set_threads;

/// `study`
#[derive(Args, Clone, Debug)]
pub struct StudyArgs {
    #[command(subcommand)]
    verb: StudyVerb,
}

#[derive(Clone, Debug, Subcommand)]
enum StudyVerb {
    /// Trains what is not there yet of a study, and compares its arms.
    Run(RunArgs),
    /// Hands what is not there yet of a study to an engine, and returns at once.
    Submit(SubmitArgs),
    /// Tells how far the trials of a study are.
    Status(FolderArgs),
    /// Compares the arms of a study whose trials are all there.
    Collect(CollectArgs),
    /// Asks the trials of a study to save and stop, and those that wait not to begin.
    Cancel(FolderArgs),
    /// Trains one trial of a study in its folder; what is there already is not trained again.
    Trial(TrialArgs),
}

/// `study run FILE|FOLDER`
#[derive(Args, Clone, Debug)]
struct RunArgs {
    /// The study: its file, or its folder.
    #[arg(value_name = "FILE|FOLDER")]
    study: PathBuf,
    #[command(flatten)]
    place: PlaceFlags,
    /// How many seeds; the file's if not given. With `--until-resolved`, at most.
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Study")]
    seeds: Option<u64>,
    #[command(flatten)]
    flags: StudyFlags,
}

/// `study submit FILE|FOLDER --engine NAME`
#[derive(Args, Clone, Debug)]
struct SubmitArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Who carries the trials out.
    #[arg(long, value_name = "NAME", help = engines())]
    engine: String,
    /// Show what would be submitted, and submit nothing.
    #[arg(long)]
    dry_run: bool,
    /// Words for the engine itself, such as --partition=short; may be given again.
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    engine_flag: Vec<String>,
}

/// `study status FOLDER`
#[derive(Args, Clone, Debug)]
struct FolderArgs {
    /// Folder of the study.
    #[arg(value_name = "FOLDER")]
    study: PathBuf,
    /// Print the answer as JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// `study collect FOLDER`
#[derive(Args, Clone, Debug)]
struct CollectArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Train here what is missing, in place of refusing.
    #[arg(long)]
    finish: bool,
}

/// `study trial FOLDER --index N`
#[derive(Args, Clone, Debug)]
struct TrialArgs {
    /// Folder of the study.
    #[arg(value_name = "FOLDER")]
    study: PathBuf,
    /// Number of the trial, from 0: all arms of a seed come before the next seed.
    #[arg(long, value_name = "N")]
    index: usize,
    /// Threads to compute with; all cores if not given. Results do not depend on it.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    threads: Option<usize>,
    /// Stop on a signal that otherwise saves a checkpoint only.
    #[arg(long, value_enum, value_name = "SIGNAL", ignore_case = true)]
    stop_on: Option<StopOn>,
    /// Ask Slurm to queue this job again if it is stopped (scontrol requeue).
    #[arg(long)]
    requeue: bool,
    /// Stop, with a checkpoint, when stdin ends: so that no trial outlives who started it.
    #[arg(long, hide = true)]
    until_eof: bool,
}

fn engines() -> String {
    let rows = engine::CATALOG.iter().map(|row| format!("{} ({})", row.name, row.summary));
    format!("Who carries the trials out: {}", rows.collect::<Vec<_>>().join(", "))
}

/// Does what the arguments say. `command`: the whole command line, for the manifests.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub fn study(args: &StudyArgs, command: Vec<String>) -> Result<(), Failure> {
    match &args.verb {
        StudyVerb::Run(args) => run(args, command),
        StudyVerb::Submit(args) => submit(args, command),
        StudyVerb::Status(args) => status(args),
        StudyVerb::Collect(args) => collect(args, command),
        StudyVerb::Cancel(args) => cancel(args),
        StudyVerb::Trial(args) => trial(args, command),
    }
}

impl RunArgs {
    /// The study as its file and the flags have it.
    fn study_run(&self, command: Vec<String>) -> Result<StudyRun, Failure> {
        let is_folder = self.study.is_dir();
        let path = if is_folder { self.study.join(STUDY_FILE) } else { self.study.clone() };
        let mut file = StudyFile::read(&path)?;
        self.flags.apply(self.seeds, &mut file);
        let from = path.parent().unwrap_or(Path::new("")).to_owned();
        let recipe = file.named_recipe(&from)?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let default = || match is_folder {
            true => self.study.clone(),
            false => PathBuf::from(format!("runs/{stem}")),
        };
        let folder = self.place.out.clone().unwrap_or_else(default);
        Ok(StudyRun {
            planned: PlannedStudy { recipe: self.place.at(recipe)?, from, folder, file },
            jobs: self.flags.jobs,
            threads: self.place.threads,
            json: self.place.json,
            command,
        })
    }
}

fn run(args: &RunArgs, command: Vec<String>) -> Result<(), Failure> {
    interrupt::hear(Notices::TRAINING, None);
    args.study_run(command)?.carry_out()
}

fn trial(args: &TrialArgs, command: Vec<String>) -> Result<(), Failure> {
    interrupt::hear(Notices::TRAINING, args.stop_on);
    let (file, study) = StudyFile::open(&args.study)?;
    let trial = study.trial_to_train(args.index)?;
    if is_cancelled(&study) {
        say(&format!("{} was cancelled; `study submit` begins again", study.folder.display()));
        return Ok(());
    }
    if args.until_eof {
        stop_at_end_of_stdin();
    }
    submit::stop_when_cancelled(study.folder.clone(), interrupt::stop());
    trial.forget_failure()?;
    let options = RunOptions {
        stop: interrupt::stop(),
        pages: pages_if(file.reports),
        ..RunOptions::new(set_threads(args.threads)?, command)
    };
    match attempt_alone(&trial, &options, &mut Terminal::new())? {
        Attempt::Scored(_) | Attempt::LeftOut(_) => Ok(()),
        Attempt::Interrupted => {
            // Nothing where there is no such job.
            let job = std::env::var_os(environment::SLURM_JOB);
            if let Some(job) = job.filter(|_| args.requeue && !is_cancelled(&study)) {
                requeue(&job)?;
            }
            Err(Failure::Interrupted)
        }
    }
}

/// Asks to stop as soon as stdin has come to its end, which it does too when who holds it is killed.
fn stop_at_end_of_stdin() {
    std::thread::spawn(|| {
        let mut bytes = [0_u8; 64];
        while matches!(io::stdin().read(&mut bytes), Ok(1..)) {}
        interrupt::stop().request();
    });
}

fn submit(args: &SubmitArgs, command: Vec<String>) -> Result<(), Failure> {
    let engine = engine::named(&args.engine).map_err(Failure::Usage)?;
    let planned = args.run.study_run(command)?.planned;
    let at_a_time = args.run.flags.jobs;
    if at_a_time == Some(0) {
        return Err(usage("`--jobs`: expected at least 1, found 0"));
    }
    let study = planned.study()?;
    if !args.dry_run {
        planned.write()?;
    }
    let wanted = status::wanted(&study)?;
    if wanted.is_empty() {
        print_line("nothing is missing; `study collect` compares the arms");
        return Ok(());
    }
    let how = HandOver {
        engine,
        program: this_program()?,
        threads: args.run.place.threads.unwrap_or(1),
        at_a_time,
        more: args.engine_flag.clone(),
    };
    for parcel in submit::parcels(&study, &wanted, &how)? {
        let text = if args.dry_run { parcel.shown() } else { parcel.hand_over()? };
        print_line(&text);
    }
    Ok(())
}

fn status(args: &FolderArgs) -> Result<(), Failure> {
    let (_, study) = StudyFile::open(&args.study)?;
    let states = status::states(&study)?;
    match args.json {
        true => print_data(&status::as_json(&study, &states).to_string()),
        false => print_line(&status::as_text(&study, &states)),
    }
    Ok(())
}

fn collect(args: &CollectArgs, command: Vec<String>) -> Result<(), Failure> {
    let run = RunArgs {
        study: args.folder.study.clone(),
        place: PlaceFlags { json: args.folder.json, ..PlaceFlags::default() },
        seeds: None,
        flags: StudyFlags::default(),
    };
    let (_, study) = StudyFile::open(&args.folder.study)?;
    if !args.finish {
        status::check_complete(&study)?;
    }
    interrupt::hear(Notices::TRAINING, None);
    run.study_run(command)?.carry_out()
}

fn cancel(args: &FolderArgs) -> Result<(), Failure> {
    let (_, study) = StudyFile::open(&args.study)?;
    let states = status::states(&study)?;
    if !states.iter().any(|(.., state)| state.is_left()) {
        let all = match states.len() {
            1 => "the only trial is".to_owned(),
            several => format!("all {several} trials are"),
        };
        print_line(&format!("nothing is left to cancel: {all} there"));
        return Ok(());
    }
    submit::cancel(&study)?;
    print_line("cancelled: trials that are at work save a checkpoint and stop");
    Ok(())
}
