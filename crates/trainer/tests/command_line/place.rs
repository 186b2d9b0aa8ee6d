//! A folder to run the program in, and what came of it.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const DONE: i32 = 0;
pub(crate) const ERROR: i32 = 1;
pub(crate) const USAGE: i32 = 2;
pub(crate) const INTERRUPTED: i32 = 130;

/// A training of less than a second.
pub(crate) const TINY: &str = "--train-size 64 --valid-size 32 --epochs 2 --model mlp --hidden 8 \
    --batch-size 16 --learning-rate 0.01 --augment crop=2 --dropout 0.2 --threads 1";

/// A training of a second or two on [`Place::with_mnist`], for tests that stop it: epochs of 60 batches.
pub(crate) const LONG: &str = "mnist --data-dir data --train-size 120 --valid-size 20 --epochs 40 \
    --model mlp --hidden 32 --batch-size 2 --accumulate 2 --batch-norm on --learning-rate 0.001 \
    --augment crop=2 --dropout 0.2 --threads 1";

/// [`LONG`] with another number of epochs.
pub(crate) fn long(epochs: usize) -> String {
    LONG.replace("--epochs 40", &format!("--epochs {epochs}"))
}

/// An epoch of 160 steps on [`Place::with_mnist`], which take a second.
#[cfg(unix)]
pub(crate) const ONE_EPOCH: &str = "mnist --data-dir data --train-size 160 --valid-size 20 --epochs 1 \
    --model cnn --widths 4,4 --batch-size 1 --augment none --dropout 0.2 --threads 1";

/// A training whose first step is far too long.
pub(crate) const DIVERGING: &str = "--train-size 64 --valid-size 16 --epochs 1 --model mlp \
    --hidden 8 --optimizer sgd --schedule constant --learning-rate 1e38 --threads 1";

/// What a finished run leaves behind, by the run folder's contract.
pub(crate) const RUN_FILES: [&str; 9] = [
    "config.toml",
    "manifest.json",
    "metrics.jsonl",
    "summary.json",
    "model.safetensors",
    "checkpoints/latest.safetensors",
    "report.html",
    "figures/loss.svg",
    "figures/loss.png",
];

/// How long a test waits for what takes a second or two, be the machine emulated or busy with other things: only what
/// hangs comes to this.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often a test looks whether what it waits for has happened.
const PAUSE: Duration = Duration::from_millis(2);

/// How often a test tries to stop the program midway.
const ATTEMPTS: usize = 5;

/// Variables that are handed on to the program although they change what it does: which kernels are tested, and where
/// there is disk space.
const HANDED_ON: [&str; 3] = ["BACKBURN_SIMD", "BACKBURN_CONVOLUTIONS", "TMPDIR"];

/// An empty folder for one test.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with 200 training and 30 test images in MNIST's format under `data`.
    pub(crate) fn with_mnist() -> Self {
        let place = Self::new();
        fs::create_dir(place.path("data")).unwrap();
        for (prefix, images) in [("train", 200_usize), ("t10k", 30)] {
            let labels: Vec<u8> = (0..images).map(|i| (i % 10) as u8).collect();
            // Each class has a row of its own, not alike in all images and not symmetric.
            let pixel = |i: usize| match (i / 784 % 10, i % 784 / 28, i % 28) {
                (class, row, column) if row == 2 * class + 3 && column > 4 => 200 + (i % 41) as u8,
                _ => (i * 7919 % 61) as u8,
            };
            let pixels: Vec<u8> = (0..images * 784).map(pixel).collect();
            let files = [
                ("images-idx3", idx(&[images as u32, 28, 28], &pixels)),
                ("labels-idx1", idx(&[images as u32], &labels)),
            ];
            for (name, content) in files {
                fs::write(place.path(&format!("data/{prefix}-{name}-ubyte")), content).unwrap();
            }
        }
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.bytes(name)).unwrap()
    }

    /// Names in a folder.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    /// What was minimized in each epoch of a run.
    pub(crate) fn objectives(&self, run: &str) -> Vec<Value> {
        let metrics = self.text(&format!("{run}/metrics.jsonl"));
        let epoch = |line| serde_json::from_str::<Value>(line).unwrap()["train_objective"].clone();
        metrics.lines().map(epoch).collect()
    }

    pub(crate) fn command(
        &self,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backburn"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        // What whoever runs the tests has set for the program, or has meant to set, is no business of theirs.
        let ours = backburn_trainer::environment::CATALOG.iter();
        let ours = ours.map(|row| OsString::from(row.name));
        let alike = std::env::vars_os().map(|(name, _)| name);
        let alike = alike.filter(|name| name.to_string_lossy().starts_with("BACKBURN_"));
        for name in ours.chain(alike).filter(|name| !HANDED_ON.iter().any(|it| name == it)) {
            command.env_remove(name);
        }
        // Texts name commands as they are typed, whatever has started the tests.
        command.env("CARGO", "cargo");
        command
    }

    /// The program with arguments between spaces.
    fn words(&self, arguments: &str) -> Command {
        self.command(arguments.split(' ').filter(|argument| !argument.is_empty()))
    }

    /// The rows of a run's metrics without their times.
    pub(crate) fn rows(&self, run: &str) -> Vec<Value> {
        let metrics = self.text(&format!("{run}/metrics.jsonl"));
        let row = |line: &str| without_times(serde_json::from_str(line).unwrap());
        metrics.lines().map(row).collect()
    }

    /// Checks that two runs have come to the same: weights bit for bit, rows and scores but for times.
    pub(crate) fn expect_same(&self, run: &str, other: &str) {
        for file in ["model.safetensors", "losses.csv", "normalization.json", "evaluation.json"] {
            let [run, other] = [run, other].map(|run| self.bytes(&format!("{run}/{file}")));
            assert!(run == other, "{file} differs");
        }
        assert_eq!(self.rows(run), self.rows(other));
        let summary = |run: &str| without_times(self.json(&format!("{run}/summary.json")));
        assert_eq!(summary(run), summary(other));
    }

    /// Runs the program with arguments between spaces.
    pub(crate) fn run(&self, arguments: &str) -> Run {
        finish(&mut self.words(arguments))
    }

    /// Starts the program with arguments between spaces.
    pub(crate) fn start(&self, arguments: &str) -> Child {
        start(self.words(arguments))
    }

    /// Starts [`LONG`] and sends a signal in its second epoch or a little later. `out`: the run's folder, and
    /// more flags behind it.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self, signal: &str, out: &str) -> Run {
        let run = out.split(' ').next().unwrap();
        let has_an_epoch = || self.path(run).join("metrics.jsonl").exists();
        self.stop(signal, &format!("train {LONG} --out {out}"), run, has_an_epoch)
    }

    /// Starts a training into the folder `run`, and kills it when it has a checkpoint or a little later.
    #[cfg(unix)]
    pub(crate) fn kill(&self, arguments: &str, run: &str) {
        let has_a_checkpoint = || self.path(run).join("checkpoints/latest.safetensors").exists();
        let killed = self.stop("KILL", arguments, run, has_a_checkpoint);
        assert_eq!(killed.code, None, "{killed:?}");
    }

    /// Starts a training into the folder `run`, and sends it a signal when it is ready for that, [`in_time`].
    #[cfg(unix)]
    pub(crate) fn stop(
        &self,
        signal: &str,
        arguments: &str,
        run: &str,
        is_ready: impl Fn() -> bool,
    ) -> Run {
        in_time(|| {
            let child = self.start(arguments);
            if child.reaches("the time to stop it", &is_ready) {
                child.signal(signal);
            }
            self.if_stopped(child.finish(), run)
        })
    }

    /// What came of a training into the folder `run`, if it was stopped; `None`, without the folder, if it came to its
    /// end.
    #[cfg(unix)]
    pub(crate) fn if_stopped(&self, came_to: Run, run: &str) -> Option<Run> {
        let has_ended = match came_to.code {
            Some(DONE) => true,
            // The weights are written when the training is over, before anything is scored.
            None => self.path(run).join("model.safetensors").exists(),
            Some(_) => false,
        };
        if has_ended {
            fs::remove_dir_all(self.path(run)).unwrap();
            return None;
        }
        Some(came_to)
    }

    /// Starts a training into the folder `run`, and halts it when it is ready for that, [`in_time`]: it is at work then
    /// for as long as a test looks at it.
    #[cfg(unix)]
    pub(crate) fn halt(&self, arguments: &str, run: &str, is_ready: impl Fn() -> bool) -> Child {
        in_time(|| {
            let child = self.start(arguments);
            child.wait_for("the time to halt it", &is_ready);
            child.signal("STOP");
            let is_training =
                child.ended().is_none() && !self.path(run).join("model.safetensors").exists();
            if is_training {
                return Some(child);
            }
            drop(child);
            fs::remove_dir_all(self.path(run)).unwrap();
            None
        })
    }

    /// Whether a process works in this folder, such as one that outlives who has started it, as far as the system tells.
    #[cfg(unix)]
    pub(crate) fn is_in_use(&self) -> bool {
        let here = fs::canonicalize(self.0.path()).unwrap();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut folders = processes.filter_map(|it| fs::read_link(it.path().join("cwd")).ok());
        folders.any(|folder| folder == here)
    }

    pub(crate) fn expect_empty(&self) {
        assert_eq!(self.names("."), [""; 0], "something was left behind");
    }

    pub(crate) fn expect_no_temporary_files(&self) {
        self.expect_no_temporary_files_in(".");
    }

    pub(crate) fn expect_no_temporary_files_in(&self, folder: &str) {
        let mut folders = vec![self.path(folder)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                assert!(!name.starts_with('.') && !name.contains("tmp"), "{}", path.display());
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
    }
}

/// What came of running the program.
#[derive(Debug)]
pub(crate) struct Run {
    /// Exit status; `None` if a signal ended the process.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Checks that the run ended so, and said this on stdout or stderr.
    pub(crate) fn expect(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self.mention(parts);
    }

    /// Checks that the run said this on stdout or stderr. `a|b` stands for one of the two.
    pub(crate) fn mention(&self, parts: &[&str]) {
        let said = format!("{}{}", self.stdout, self.stderr);
        for part in parts {
            assert!(part.split('|').any(|part| said.contains(part)), "no `{part}` in:\n{said}");
        }
        assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "{said}");
    }

    /// Checks that the run refused with one paragraph on stderr that says this.
    pub(crate) fn refuse(&self, code: i32, parts: &[&str]) {
        self.expect(code, parts);
        let by_clap = code == USAGE && self.stderr.contains("Usage:");
        // Notes about the data may come first.
        let mut lines = self.stderr.lines().skip_while(|line| line.starts_with("note: "));
        let is_error = lines.next().is_some_and(|line| line.starts_with("error: "));
        assert!(by_clap || is_error, "{}", self.stderr);
        if code == ERROR {
            assert!(self.stdout.is_empty(), "{}", self.stdout);
            assert!(!self.stderr.trim_end().contains("\n\n"), "{}", self.stderr);
        }
    }
}

pub(crate) fn finish(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What the first of a few attempts gives that comes in time. Who stops the program midway waits for the machine like
/// everybody else, so that the program may be at its end first, which is no fault of its own. If it always is, it does
/// not hear.
pub(crate) fn in_time<T>(attempt: impl FnMut() -> Option<T>) -> T {
    let mut attempts = std::iter::repeat_with(attempt).take(ATTEMPTS);
    let in_time = attempts.find_map(|outcome| outcome);
    in_time.unwrap_or_else(|| panic!("{ATTEMPTS} times in turn it was at its end first"))
}

/// The program while it runs; killed if the test fails first.
pub(crate) struct Child {
    process: RefCell<std::process::Child>,
    stdout: PathBuf,
    stderr: PathBuf,
    /// Holds the two files.
    _folder: TempDir,
}

pub(crate) fn start(command: Command) -> Child {
    let mut command = with_usual_signals(command);
    let folder = tempfile::tempdir().unwrap();
    let (stdout, stderr) = (folder.path().join("stdout"), folder.path().join("stderr"));
    command.stdout(fs::File::create(&stdout).unwrap()).stderr(fs::File::create(&stderr).unwrap());
    let process = RefCell::new(command.spawn().unwrap());
    Child { process, stdout, stderr, _folder: folder }
}

/// The same with signals as a shell at a terminal has them: the tests themselves may run under `nohup` or
/// behind `&`, and what is ignored is handed down.
fn with_usual_signals(command: Command) -> Command {
    if !cfg!(target_os = "linux") {
        return command;
    }
    let mut usual = Command::new("env");
    usual.args(["--default-signal=HUP,INT,TERM,USR1,USR2,XCPU"]);
    usual.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    if let Some(folder) = command.get_current_dir() {
        usual.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => usual.env(name, value),
            None => usual.env_remove(name),
        };
    }
    usual
}

impl Child {
    #[cfg(unix)]
    pub(crate) fn id(&self) -> u32 {
        self.process.borrow().id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        self.process.borrow_mut().try_wait().unwrap()
    }

    /// Sends a signal. Who has ended hears nothing.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        if self.ended().is_some() {
            return;
        }
        // The shell's own `kill` is everywhere.
        let kill = format!("kill -{name} {}", self.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// What it has said on stderr so far.
    pub(crate) fn stderr(&self) -> String {
        // The last letter may not be whole yet.
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap()).into_owned()
    }

    /// Waits until something has happened. Gives whether it has before the program came to its end.
    pub(crate) fn reaches(&self, what: &str, happened: impl Fn() -> bool) -> bool {
        let started = Instant::now();
        loop {
            // First, so that the last that it does is seen.
            let has_ended = self.ended().is_some();
            if happened() {
                return true;
            }
            if has_ended {
                return false;
            }
            let is_patient = started.elapsed() < PATIENCE;
            assert!(is_patient, "waited for {what} in vain: {}", self.stderr());
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits until something has happened, which the program does not end before.
    pub(crate) fn wait_for(&self, what: &str, happened: impl Fn() -> bool) {
        assert!(self.reaches(what, happened), "it ended before {what}: {}", self.stderr());
    }

    pub(crate) fn finish(self) -> Run {
        let code = self.process.borrow_mut().wait().unwrap().code();
        let read = |path| fs::read_to_string(path).unwrap();
        Run { code, stdout: read(&self.stdout), stderr: read(&self.stderr) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let process = self.process.get_mut();
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// Waits until something has happened that no program of the test's own does.
#[cfg(unix)]
pub(crate) fn wait_for(what: &str, happened: impl Fn() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < PATIENCE, "waited for {what} in vain");
        std::thread::sleep(PAUSE);
    }
}

/// A record but for what depends on the clock.
pub(crate) fn without_times(mut record: Value) -> Value {
    let record_fields = record.as_object_mut().unwrap();
    for name in ["seconds", "train_seconds", "images_per_second"] {
        record_fields.remove(name);
    }
    record
}

/// An IDX file of unsigned bytes.
pub(crate) fn idx(dimensions: &[u32], data: &[u8]) -> Vec<u8> {
    let mut file = (0x0800 + dimensions.len() as u32).to_be_bytes().to_vec();
    for size in dimensions {
        file.extend_from_slice(&size.to_be_bytes());
    }
    file.extend_from_slice(data);
    file
}

pub(crate) fn expect_keys(object: &Value, names: &str) {
    let mut found: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected: Vec<&str> = names.split_whitespace().collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}
