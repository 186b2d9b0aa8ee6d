//! A folder to run the program in, and what came of it.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
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

/// A training of a few seconds on [`Place::with_mnist`], for tests that stop it.
pub(crate) const LONG: &str = "mnist --data-dir data --train-size 120 --valid-size 20 --epochs 120 \
    --model mlp --hidden 32 --batch-size 2 --accumulate 2 --batch-norm on --learning-rate 0.001 \
    --augment crop=2 --dropout 0.2 --threads 1";

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
        command.args(arguments).current_dir(self.0.path());
        command.env_remove("BACKBURN_DATA").env_remove("COLUMNS").stdin(Stdio::null());
        command
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

    /// Runs the program with arguments between single spaces.
    pub(crate) fn run(&self, arguments: &str) -> Run {
        finish(&mut self.command(arguments.split(' ').filter(|argument| !argument.is_empty())))
    }

    /// Starts [`LONG`] and sends a signal in its second epoch or a little later. `out`: the run's folder, and
    /// more flags behind it.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self, signal: &str, out: &str) -> Run {
        let child = start(self.command(format!("train {LONG} --out {out}").split(' ')));
        let out = out.split(' ').next().unwrap();
        wait_for("the first epoch", || self.path(out).join("metrics.jsonl").exists());
        child.signal(signal);
        child.finish()
    }

    pub(crate) fn expect_empty(&self) {
        assert_eq!(self.names("."), [""; 0], "something was left behind");
    }

    pub(crate) fn expect_no_temporary_files(&self) {
        let mut folders = vec![self.0.path().to_owned()];
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

/// The program while it runs; killed if the test fails first.
pub(crate) struct Child {
    pub(crate) process: std::process::Child,
    pub(crate) stdout: PathBuf,
    pub(crate) stderr: PathBuf,
    /// Holds the two files.
    _folder: TempDir,
}

pub(crate) fn start(command: Command) -> Child {
    let mut command = with_usual_signals(command);
    let folder = tempfile::tempdir().unwrap();
    let (stdout, stderr) = (folder.path().join("stdout"), folder.path().join("stderr"));
    command.stdout(fs::File::create(&stdout).unwrap()).stderr(fs::File::create(&stderr).unwrap());
    Child { process: command.spawn().unwrap(), stdout, stderr, _folder: folder }
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
    pub(crate) fn signal(&self, name: &str) {
        // The shell's own `kill` is everywhere.
        let kill = format!("kill -{name} {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    #[cfg(unix)]
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    pub(crate) fn finish(mut self) -> Run {
        let code = self.process.wait().unwrap().code();
        let read = |path| fs::read_to_string(path).unwrap();
        Run { code, stdout: read(&self.stdout), stderr: read(&self.stderr) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until something has happened, for a minute at most.
pub(crate) fn wait_for(what: &str, happened: impl Fn() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited for {what} in vain");
        std::thread::sleep(Duration::from_millis(2));
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
