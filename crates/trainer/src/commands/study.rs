//! `backburn study`: a study from its file, here or by a scheduler, and its trials one by one.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use backburn_records::shell::quoted;
use backburn_records::whole_file::write_whole;
use backburn_studies::arms::{Attempt, attempt};
use backburn_studies::engine::{self, CANCELLED, Engine, MOST_TASKS, SUBMITTED, Submission};
use backburn_studies::status::{TrialState, is_cancelled, states};
use backburn_studies::study::Study;
use backburn_studies::study_file::{STUDY_FILE, StudyFile};
use backburn_studies::trial::Trial;
use backburn_training::failure::{Failure, usage};
use backburn_training::run_options::RunOptions;
use backburn_training::watch::Brief;
use clap::{Args, Subcommand};

use crate::environment;
use crate::interrupt::{self, Notices, StopOn};
use crate::output::{print_line, say};
use crate::pages::pages_if;
use crate::study_run::{PlaceFlags, StudyFlags, StudyRun, failure};
use crate::terminal::Terminal;
use crate::threads::set_threads;

/// How often a trial looks whether its study has been cancelled.
const LOOK: Duration = Duration::from_secs(1);

/// Trials in a state are listed one by one up to so many.
const MOST_LISTED: usize = 12;

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
        let mut file = StudyFile::read(&path).map_err(failure)?;
        self.flags.apply(self.seeds, &mut file);
        let from = path.parent().unwrap_or(Path::new("")).to_owned();
        let recipe = file.named_recipe(&from).map_err(failure)?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let default = || match is_folder {
            true => self.study.clone(),
            false => PathBuf::from(format!("runs/{stem}")),
        };
        Ok(StudyRun {
            recipe: self.place.at(recipe)?,
            from,
            folder: self.place.out.clone().unwrap_or_else(default),
            jobs: self.flags.jobs,
            threads: self.place.threads,
            json: self.place.json,
            file,
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
    let (file, study) = StudyFile::open(&args.study).map_err(failure)?;
    let Some(trial) = study.trial(args.index) else {
        let known = study.trials();
        let arm = study.place(args.index).and_then(|place| study.arms.get(place.arm));
        return Err(match arm.map(|arm| &arm.recipe) {
            Some(Err(reason)) => Failure::Usage(format!("trial {}: {reason}", args.index)),
            _ => usage(format!("`--index`: expected less than {known}, found {}", args.index)),
        });
    };
    if is_cancelled(&study) {
        say(&format!("{} was cancelled; `study submit` begins again", study.folder.display()));
        return Ok(());
    }
    if args.until_eof {
        stop_at_end_of_stdin();
    }
    stop_when_cancelled(study.folder.clone());
    trial.forget_failure()?;
    let options = RunOptions {
        stop: interrupt::stop(),
        pages: pages_if(file.reports),
        ..RunOptions::new(set_threads(args.threads)?, command)
    };
    let found = trial.find()?;
    match attempt(&trial, found, &options, &mut Brief(&mut Terminal::new())) {
        Ok(Attempt::Scored(_) | Attempt::LeftOut(_)) => Ok(()),
        Ok(Attempt::Interrupted) => {
            if args.requeue && !is_cancelled(&study) {
                requeue()?;
            }
            Err(Failure::Interrupted)
        }
        Err(Failure::Interrupted) => Err(Failure::Interrupted),
        Err(Failure::Usage(reason) | Failure::Error(reason)) => {
            trial.fail(&reason)?;
            Err(Failure::Error(reason))
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

/// Asks to stop as soon as the study in this folder has been cancelled.
fn stop_when_cancelled(folder: PathBuf) {
    std::thread::spawn(move || {
        while !fs::exists(folder.join(CANCELLED)).unwrap_or(false) {
            std::thread::sleep(LOOK);
        }
        interrupt::stop().request();
    });
}

/// Has Slurm queue the job of this process again. Nothing where there is no such job.
fn requeue() -> Result<(), Failure> {
    let Some(job) = std::env::var_os(environment::SLURM_JOB) else { return Ok(()) };
    let status = Command::new("scontrol").arg("requeue").arg(&job).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Error(format!(
            "scontrol requeue {} ended with {status}; `study submit` queues the trial again",
            job.display()
        ))),
        Err(error) => Err(Failure::Error(format!(
            "cannot start scontrol: {error}; `study submit` queues the trial again"
        ))),
    }
}

fn submit(args: &SubmitArgs, command: Vec<String>) -> Result<(), Failure> {
    let engine = engine::named(&args.engine).map_err(Failure::Usage)?;
    let run = args.run.study_run(command)?;
    let at_a_time = args.run.flags.jobs;
    if at_a_time == Some(0) {
        return Err(usage("`--jobs`: expected at least 1, found 0"));
    }
    let study = run.ready(args.dry_run)?;
    let wanted: Vec<usize> = states(&study)?
        .into_iter()
        .filter_map(|(index, _, state)| state.is_wanted().then_some(index))
        .collect();
    if wanted.is_empty() {
        print_line("nothing is missing; `study collect` compares the arms");
        return Ok(());
    }
    let absolute = |path: &Path| {
        std::path::absolute(path)
            .map_err(|error| Failure::Error(format!("{}: {error}", path.display())))
    };
    let program = std::env::current_exe()
        .map_err(|error| Failure::Error(format!("cannot find this program's own file: {error}")))?;
    let folder = absolute(&study.folder)?;
    for (number, part) in (next_number(&folder)..).zip(wanted.chunks(MOST_TASKS)) {
        let submission = Submission {
            study: folder.clone(),
            program: program.clone(),
            number,
            tasks: part.len(),
            threads: args.run.place.threads.unwrap_or(1),
            at_a_time,
            more: args.engine_flag.clone(),
        };
        hand_over(engine, &submission, part, args.dry_run)?;
    }
    Ok(())
}

/// The number of the next submission of the study in `folder`.
fn next_number(folder: &Path) -> usize {
    let names = fs::read_dir(folder.join(SUBMITTED)).into_iter().flatten().flatten();
    let numbers = names.filter_map(|entry| {
        let name = entry.file_name();
        Path::new(&name).file_stem()?.to_str()?.parse::<usize>().ok()
    });
    numbers.max().unwrap_or(0) + 1
}

/// Hands trials to an engine.
fn hand_over(
    engine: &Engine,
    submission: &Submission,
    trials: &[usize],
    dry_run: bool,
) -> Result<(), Failure> {
    let script = (engine.script)(submission);
    let file = submission.file("sh");
    let mut words = (engine.submit)(submission, &file);
    if engine.program.is_none() {
        words.insert(0, submission.program.display().to_string());
    }
    let line = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let listed = trials.iter().map(|index| format!("{index}\n")).collect::<String>();
    if dry_run {
        print_line(&format!("{} trials: {}", trials.len(), listed.trim_end().replace('\n', " ")));
        if !script.is_empty() {
            print_line(&format!("{}:\n{}", file.display(), script.trim_end()));
        }
        print_line(&line);
        return Ok(());
    }
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        Failure::Error(format!("cannot write {}: {error}", path.display()))
    };
    for folder in [SUBMITTED, backburn_studies::jobs::LOGS] {
        let path = submission.study.join(folder);
        fs::create_dir_all(&path).map_err(|error| failed(&path, &error))?;
    }
    for (path, text) in [(submission.list(), &listed), (file, &script)] {
        write_whole(&path, text.as_bytes()).map_err(|error| failed(&path, &error))?;
    }
    // What was cancelled is wanted again.
    let cancelled = submission.study.join(CANCELLED);
    if fs::exists(&cancelled).unwrap_or(false) {
        fs::remove_file(&cancelled).map_err(|error| failed(&cancelled, &error))?;
    }
    let Some((program, rest)) = words.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(rest);
    if engine.program.is_none() {
        start_here(&mut command, submission)?;
    } else {
        let status = command.status().map_err(|error| {
            Failure::Error(format!(
                "cannot start {program}: {error}; it comes with {}. `--dry-run` shows what would be \
                 submitted",
                engine.source
            ))
        })?;
        if !status.success() {
            return Err(Failure::Error(format!("{program} ended with {status}: {line}")));
        }
    }
    print_line(&format!(
        "{} trials handed to {}; `cargo xtask study status {}` tells how far they are",
        trials.len(),
        engine.name,
        submission.study.display()
    ));
    Ok(())
}

/// Starts a process that goes on when this one and its terminal are gone.
fn start_here(command: &mut Command, submission: &Submission) -> Result<(), Failure> {
    let log = submission.study.join(backburn_studies::jobs::LOGS);
    let log = log.join(format!("submit-{}.txt", submission.number));
    let failed = |error: io::Error| Failure::Error(format!("{}: {error}", log.display()));
    let out = fs::File::create(&log).map_err(failed)?;
    let errors = out.try_clone().map_err(failed)?;
    command.stdin(Stdio::null()).stdout(out).stderr(errors);
    // Not among those whom Ctrl-C on this terminal reaches.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    command.spawn().map(drop).map_err(failed)
}

fn status(args: &FolderArgs) -> Result<(), Failure> {
    let (_, study) = StudyFile::open(&args.study).map_err(failure)?;
    let states = states(&study)?;
    if args.json {
        let trials: Vec<serde_json::Value> = states
            .iter()
            .map(|(index, trial, state)| {
                let run = trial.path.strip_prefix(&study.folder).unwrap_or(&trial.path);
                let reason = match state {
                    TrialState::LeftOut(reason) | TrialState::Failed(reason) => Some(reason),
                    _ => None,
                };
                let (run, state) = (run.display().to_string(), state.name());
                serde_json::json!({ "index": index, "run": run, "state": state, "reason": reason })
            })
            .collect();
        let cancelled = is_cancelled(&study);
        print_line(&serde_json::json!({ "trials": trials, "cancelled": cancelled }).to_string());
        return Ok(());
    }
    print_line(&told(&study, &states));
    Ok(())
}

/// How far a study is, in lines for a terminal.
fn told(study: &Study, states: &[(usize, Trial, TrialState)]) -> String {
    let count = |name: &str| states.iter().filter(|(.., state)| state.name() == name).count();
    let names = ["done", "left out", "at work", "stopped", "failed", "missing"];
    let counts = names.iter().map(|name| (count(name), name)).filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, name)| format!("{count} {name}")).collect();
    let mut text = format!("{} trials: {}", states.len(), counts.join(", "));
    for name in ["at work", "stopped", "failed", "missing"] {
        let of_it: Vec<_> = states.iter().filter(|(.., state)| state.name() == name).collect();
        for (index, trial, state) in of_it.iter().take(MOST_LISTED) {
            let run = trial.path.strip_prefix(&study.folder).unwrap_or(&trial.path);
            text += &format!("\n{index:>5} {:<8} {}", state.name(), run.display());
            if let TrialState::Failed(reason) = state {
                text += &format!(": {reason}");
            }
        }
        if of_it.len() > MOST_LISTED {
            text += &format!("\n      and {} more {name}", of_it.len() - MOST_LISTED);
        }
    }
    if is_cancelled(study) {
        text += "\ncancelled; `study submit` begins again";
    }
    text
}

fn collect(args: &CollectArgs, command: Vec<String>) -> Result<(), Failure> {
    let run = RunArgs {
        study: args.folder.study.clone(),
        place: PlaceFlags { json: args.folder.json, ..PlaceFlags::default() },
        seeds: None,
        flags: StudyFlags::default(),
    };
    let (_, study) = StudyFile::open(&args.folder.study).map_err(failure)?;
    let states = states(&study)?;
    let is_left = |state: &TrialState| state.is_wanted() || *state == TrialState::AtWork;
    let left = states.iter().filter(|(.., state)| is_left(state)).count();
    if left > 0 && !args.finish {
        let folder = study.folder.display();
        return Err(Failure::Error(format!(
            "{left} of {} trials are not there yet:\n{}\nhand them over with `cargo xtask study submit {folder} \
             --engine NAME`, or train them here with `cargo xtask study collect {folder} --finish`",
            states.len(),
            told(&study, &states)
        )));
    }
    interrupt::hear(Notices::TRAINING, None);
    run.study_run(command)?.carry_out()
}

fn cancel(args: &FolderArgs) -> Result<(), Failure> {
    let (_, study) = StudyFile::open(&args.study).map_err(failure)?;
    let path = study.folder.join(CANCELLED);
    write_whole(&path, b"")
        .map_err(|error| Failure::Error(format!("cannot write {}: {error}", path.display())))?;
    // Whoever has Slurm is asked to take the waiting jobs back; with the file they would end at once.
    let study_folder = std::path::absolute(&study.folder).unwrap_or_else(|_| study.folder.clone());
    let submission = Submission {
        study: study_folder,
        program: PathBuf::new(),
        number: 0,
        tasks: 0,
        threads: 0,
        at_a_time: None,
        more: Vec::new(),
    };
    for words in engine::CATALOG.iter().filter_map(|engine| (engine.cancel)(&submission)) {
        if let Some((program, rest)) = words.split_first() {
            let _ = Command::new(program).args(rest).stderr(Stdio::null()).status();
        }
    }
    print_line("cancelled: trials that are at work save a checkpoint and stop");
    Ok(())
}
