//! The bench's end of a process that measures.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use backburn_training::failure::Failure;
use backburn_training::speed::work::Work;
use backburn_training::stop::Stop;
use serde::de::DeserializeOwned;

use super::protocol::{Card, Greeting, PeakMemory, Request};

/// How often somebody who waits for an answer looks whether it is asked to stop.
const PATIENCE: Duration = Duration::from_millis(50);

/// How often one that is ending is looked after: for ten seconds, as a Python with PyTorch may take some to end.
const PATIENCE_AT_END: usize = 200;

/// A process that measures. It is ended when this is dropped, at once, whatever it is at.
pub(crate) struct Process {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<String>,
    /// What it says besides.
    stderr: File,
    /// What the process is, for messages.
    what: String,
    stop: Stop,
}

impl Process {
    /// Starts `command` and waits until it is ready. `cure` says what to do if it cannot be started.
    ///
    /// # Errors
    ///
    /// If it cannot be started or ends before it is ready; then what it said is in the message.
    pub(crate) fn start(
        mut command: Command,
        what: String,
        cure: &str,
        stop: &Stop,
    ) -> Result<(Self, Greeting), Failure> {
        let program = command.get_program().display().to_string();
        let cannot =
            |error| Failure::Error(format!("{what}: cannot start `{program}`: {error}; {cure}"));
        let stderr = tempfile::tempfile().map_err(cannot)?;
        let said = stderr.try_clone().map_err(cannot)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(said);
        // Ctrl-C in a terminal goes to a whole group; this one is ended by the bench.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(cannot)?;
        let stdin = child.stdin.take().expect("it is piped");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, answers) = mpsc::channel();
        // A thread that only waits: who reads from a pipe cannot look for that meanwhile.
        let wait = move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        };
        // The child ends, too, if there is no thread for this one: nothing is left that asks it.
        std::thread::Builder::new().name("answers".into()).spawn(wait).map_err(cannot)?;
        let mut process = Self { child, stdin, answers, stderr, what, stop: stop.clone() };
        let greeting = process.answer()?;
        Ok((process, greeting))
    }

    /// Asks for a repetition.
    ///
    /// # Errors
    ///
    /// If the process ends or answers something else, or the bench is asked to stop.
    pub(crate) fn work(&mut self, request: &Request) -> Result<Work, Failure> {
        let work: Work = self.ask(request)?;
        if work.amount > 0.0 && work.seconds > 0.0 {
            return Ok(work);
        }
        Err(self.not_an_answer(&format!("{work:?}")))
    }

    /// Asks for the most memory it has had, in bytes.
    ///
    /// # Errors
    ///
    /// As [`Process::work`].
    pub(crate) fn peak_memory(&mut self) -> Result<Option<u64>, Failure> {
        let PeakMemory { peak_memory_bytes } = self.ask(&Request::PeakMemory)?;
        Ok(peak_memory_bytes)
    }

    /// Asks what it takes of a graphics card.
    ///
    /// # Errors
    ///
    /// As [`Process::work`].
    pub(crate) fn card(&mut self) -> Result<Card, Failure> {
        self.ask(&Request::Card)
    }

    fn ask<A: DeserializeOwned>(&mut self, request: &Request) -> Result<A, Failure> {
        let line = serde_json::to_string(request).expect("a request is plain values");
        // If nobody takes it, waiting for the answer tells why.
        let _ = writeln!(self.stdin, "{line}").and_then(|()| self.stdin.flush());
        self.answer()
    }

    fn answer<A: DeserializeOwned>(&mut self) -> Result<A, Failure> {
        let line = loop {
            match self.answers.recv_timeout(PATIENCE) {
                _ if self.stop.is_requested() => return Err(Failure::Interrupted),
                Ok(line) => break line,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
            }
        };
        serde_json::from_str(&line).map_err(|_| self.not_an_answer(&line))
    }

    /// Why there will be no answer: the process's own error, or what else it said last.
    fn ended(&mut self) -> Failure {
        // Its stdout is closed, so it is about to end; should it hang there, it is helped.
        for _ in 0..PATIENCE_AT_END {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(PATIENCE);
        }
        let _ = self.child.kill();
        let status = self.child.wait();
        let mut said = String::new();
        // Bytes that are no text, or a file that cannot be read, leave what was read before.
        let _ = self.stderr.rewind().and_then(|()| self.stderr.read_to_string(&mut said));
        let said = said.trim();
        if let Some((_, error)) = format!("\n{said}").rsplit_once("\nerror: ") {
            return Failure::Error(format!("{}: {error}", self.what));
        }
        let last = said.lines().last().unwrap_or("nothing");
        let how = match &status {
            Ok(status) if status.code().is_some() => status.to_string(),
            Ok(status) => {
                format!("{status}: if memory ran out, a smaller `--batch-sizes` is the cure")
            }
            Err(error) => error.to_string(),
        };
        let what = &self.what;
        Failure::Error(format!("{what}: the process that measures ended ({how}); it said: {last}"))
    }

    fn not_an_answer(&self, line: &str) -> Failure {
        Failure::Error(format!(
            "{}: expected one JSON object a line, found `{line}`; is the script or program of this \
             version?",
            self.what
        ))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has nothing to save, and may be in the middle of a long step.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
