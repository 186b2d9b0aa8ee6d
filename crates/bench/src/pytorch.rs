//! PyTorch, to compare with: `tests/pytorch/bench.py` in a Python of the user's.

use std::path::{Path, PathBuf};
use std::process::Command;

use backburn_training::backend::Backend;
use backburn_training::failure::Failure;
use backburn_training::stop::Stop;

use super::case::Case;
use super::process::Process;
use super::protocol::Greeting;
use super::way::Way;

/// Path of the script in the workspace.
const SCRIPT: &str = "tests/pytorch/bench.py";

/// How to get a Python that can be used. The script says the same of one without torch.
const CURE: &str = "name a Python that has torch with `--python`; one is made by `python3 -m venv \
    venv` and `venv/bin/pip install torch numpy`, and is then `venv/bin/python`";

/// A Python that has PyTorch.
#[derive(Clone, Debug)]
pub struct PyTorch {
    python: PathBuf,
    script: PathBuf,
    /// Device, as PyTorch names it.
    device: String,
    /// Whether `torch.compile` is measured, too.
    compiles: bool,
    /// `PyTorch` and its version.
    pub name: String,
}

impl PyTorch {
    /// Finds the script, and out whether `python` can run it on `device`, or, if none is named, on what `backend` computes
    /// on. `compiles`: whether `torch.compile` is to be measured, too.
    ///
    /// # Errors
    ///
    /// If script, Python, PyTorch or the device are not there.
    pub fn find(
        python: &Path,
        device: Option<&str>,
        compiles: bool,
        backend: Backend,
        stop: &Stop,
    ) -> Result<Self, Failure> {
        let device = device.unwrap_or_else(|| backend.pytorch_device()).to_owned();
        let (python, script) = (python.to_owned(), script()?);
        let mut pytorch = Self { python, script, device, compiles, name: String::new() };
        let mut command = pytorch.command();
        command.arg("--probe");
        let (_, greeting) = Process::start(command, "--against pytorch".into(), CURE, stop)?;
        pytorch.name = greeting.name;
        Ok(pytorch)
    }

    /// Starts a process with a network.
    ///
    /// # Errors
    ///
    /// If PyTorch cannot train it.
    pub(crate) fn start(
        &self,
        case: &Case,
        way: Way,
        threads: usize,
        stop: &Stop,
    ) -> Result<(Process, Greeting), Failure> {
        let mut command = self.command();
        command.args(["--model", &case.model, "--batch-size", &case.batch_size.to_string()]);
        command.args(["--threads", &threads.to_string(), "--way", way.name()]);
        Process::start(command, format!("{} in PyTorch", case.name()), CURE, stop)
    }

    /// The ways in which an architecture is computed.
    pub(crate) fn ways(&self, model: &str) -> Vec<Way> {
        Way::of(model, &self.device, self.compiles)
    }

    /// OpenMP's threads wait as PyTorch's users have it, spinning for milliseconds: on free cores every
    /// other way costs PyTorch up to a tenth. On busy ones it makes PyTorch several times slower, a ratio
    /// too good; that is why the bench warns of busy cores.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).args(["--device", &self.device]);
        command
    }
}

/// The folder of this crate, unless the program is built to be used on other machines.
const BUILT_FROM: Option<&str> = match option_env!("BACKBURN_DIST") {
    None => Some(env!("CARGO_MANIFEST_DIR")),
    Some(_) => None,
};

/// Where the script is: in the folder that this program was built from, or in that of a clone that it
/// is used in.
fn script() -> Result<PathBuf, Failure> {
    let built_from = BUILT_FROM.map(|folder| Path::new(folder).join("../..").join(SCRIPT));
    let mut candidates = built_from.into_iter().chain([PathBuf::from(SCRIPT)]);
    candidates.find(|path| path.is_file()).ok_or_else(|| {
        Failure::Error(format!(
            "`--against pytorch`: {SCRIPT} is neither where this program was built nor here; run \
             it in a clone of the repository"
        ))
    })
}
