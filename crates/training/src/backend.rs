//! Which backend computes. The only file that names backends.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

#[cfg(feature = "cube")]
use crate::tuning;

/// A backend, one Cargo feature each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// CPU, pure Rust; the default.
    #[default]
    Flex,
    /// CPU by way of the ndarray crate; deprecated by Burn in favour of Flex.
    Ndarray,
    /// Any GPU by way of wgpu.
    Wgpu,
    /// Vulkan with SPIR-V kernels.
    Vulkan,
    /// Apple GPUs.
    Metal,
    /// Nvidia GPUs.
    Cuda,
    /// AMD GPUs.
    Rocm,
}

/// A backend that is ready to compute.
#[derive(Clone, Debug)]
pub struct OpenDevice {
    /// Where tensors live, without gradients; `device.autodiff()` for training.
    pub device: Device,
    /// Name of the hardware, for the manifest.
    pub name: String,
    /// Name and version of its driver, where Burn tells.
    pub driver: Option<String>,
}

impl OpenDevice {
    /// One of whose driver nothing is told.
    #[allow(dead_code)] // Without a backend that computes so, none is made.
    fn without_driver(device: Device, name: String) -> Self {
        Self { device, name, driver: None }
    }

    /// One that tells its own name, with whatever the system tells of its driver and of what compiles kernels for it.
    #[cfg(any(feature = "cuda", feature = "rocm"))]
    fn named_by_itself(device: Device, versions: [Option<String>; 2]) -> Self {
        let name = device.identity().map_or_else(|| format!("{device:?}"), |it| it.name);
        let driver = versions.into_iter().flatten().collect::<Vec<_>>().join(", ");
        Self { device, name, driver: Some(driver).filter(|driver| !driver.is_empty()) }
    }

    /// What choices and kernels are kept for: the hardware, what is compiled for it, and its driver.
    #[cfg(feature = "cube")]
    fn card(&self) -> String {
        let compiled_for = self.device.identity().map(|it| it.fingerprint).unwrap_or_default();
        format!("{}\n{compiled_for}\n{}", self.name, self.driver.as_deref().unwrap_or_default())
    }
}

/// Devices that are ready. The runtime of a graphics card can be set up only once in a process, which may train
/// many networks.
static OPEN: Mutex<Vec<(Backend, OpenDevice)>> = Mutex::new(Vec::new());

/// Why a backend cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// No backend of that name.
    #[error("unknown backend `{name}`; known: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// This program was built without the backend.
    #[error(
        "this program was built without the backend `{backend}` (it has {compiled}); in a clone of \
         its sources `cargo xtask … --backend {backend}` builds one that has it, and runs it"
    )]
    NotCompiled {
        /// What was asked for.
        backend: Backend,
        /// What was built.
        compiled: String,
    },
    /// Built, but there is no hardware or driver for it.
    #[error(
        "the backend `{backend}` found no device it can use: {reason}; check the driver (for \
         Vulkan `vulkaninfo --summary`; on Debian `mesa-vulkan-drivers` has one that runs on the \
         CPU), or use `--backend flex`"
    )]
    NoDevice {
        /// What was asked for.
        backend: Backend,
        /// What the driver said.
        reason: String,
    },
}

impl Backend {
    /// Every backend there is, compiled or not.
    pub const ALL: [Self; 7] =
        [Self::Flex, Self::Ndarray, Self::Wgpu, Self::Vulkan, Self::Metal, Self::Cuda, Self::Rocm];

    /// Name on the command line, and of the Cargo feature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
        }
    }

    /// Whether it computes in the memory that the program itself has.
    pub fn computes_on_the_host(self) -> bool {
        matches!(self, Self::Flex | Self::Ndarray)
    }

    /// PyTorch's name of what this backend computes on. WGSL and SPIR-V run on any card; PyTorch runs on Nvidia's.
    pub fn pytorch_device(self) -> &'static str {
        match self {
            Self::Flex | Self::Ndarray => "cpu",
            Self::Cuda | Self::Rocm | Self::Wgpu | Self::Vulkan => "cuda",
            Self::Metal => "mps",
        }
    }

    /// The backend of that name.
    ///
    /// # Errors
    ///
    /// If there is none; the error lists those that there are.
    pub fn named(name: &str) -> Result<Self, BackendError> {
        Self::ALL.into_iter().find(|backend| backend.name() == name).ok_or_else(|| {
            BackendError::Unknown { name: name.to_owned(), known: names(&Self::ALL) }
        })
    }

    /// Whether this program was built with it.
    pub fn is_compiled(self) -> bool {
        match self {
            Self::Flex => cfg!(feature = "flex"),
            Self::Ndarray => cfg!(feature = "ndarray"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Metal => cfg!(feature = "metal"),
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Rocm => cfg!(feature = "rocm"),
        }
    }

    /// The backends of this program.
    pub fn compiled() -> Vec<Self> {
        Self::ALL.into_iter().filter(|backend| backend.is_compiled()).collect()
    }

    /// What to use if nothing was said: Flex if it is there, else the first that is.
    pub fn preferred() -> Self {
        Self::compiled().first().copied().unwrap_or_default()
    }

    /// Makes the backend ready and proves it by a small computation, the first time; after that, gives what
    /// is ready.
    ///
    /// # Errors
    ///
    /// If this program was built without the backend, or no hardware or driver is there.
    pub fn open(self) -> Result<OpenDevice, BackendError> {
        if !self.is_compiled() {
            let compiled = names(&Self::compiled());
            return Err(BackendError::NotCompiled { backend: self, compiled });
        }
        let mut all = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, open)) = all.iter().find(|(backend, _)| *backend == self) {
            return Ok(open.clone());
        }
        // Drivers that are missing make some constructors panic, on this or another thread.
        let opened = quietly(|| {
            #[cfg(feature = "cube")]
            if !self.computes_on_the_host() {
                tuning::configure();
            }
            let open = self.connect()?;
            #[cfg(feature = "cube")]
            if !self.computes_on_the_host() {
                tuning::exchange_with(&format!("{self}\n{}", open.card()));
            }
            let sum: f32 = burn::tensor::Tensor::<1>::ones([3], &open.device).sum().into_scalar();
            if sum == 3.0 { Ok(open) } else { Err(format!("it adds 1 + 1 + 1 to {sum}")) }
        });
        let open = opened.map_err(|reason| BackendError::NoDevice { backend: self, reason })?;
        all.push((self, open.clone()));
        Ok(open)
    }

    fn connect(self) -> Result<OpenDevice, String> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Ok(OpenDevice::without_driver(Device::flex(), processor())),
            #[cfg(feature = "ndarray")]
            Self::Ndarray => {
                // Burn deprecates ndarray; it stays selectable here for comparison.
                #[allow(deprecated)]
                let device = Device::ndarray();
                Ok(OpenDevice::without_driver(device, processor()))
            }
            #[cfg(feature = "wgpu")]
            Self::Wgpu => graphics(burn::tensor::wgpu::WgpuBackend::Auto),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => graphics(burn::tensor::wgpu::WgpuBackend::Vulkan),
            #[cfg(feature = "metal")]
            Self::Metal => graphics(burn::tensor::wgpu::WgpuBackend::Metal),
            #[cfg(feature = "cuda")]
            Self::Cuda => {
                let toolkit = cubecl::cuda::install::cuda_path();
                check_headers(toolkit.as_deref())?;
                let driver = start_of("/proc/driver/nvidia/version");
                let version = toolkit.and_then(|toolkit| start_of(toolkit.join("version.json")));
                Ok(OpenDevice::named_by_itself(Device::cuda(0usize), [driver, version]))
            }
            #[cfg(feature = "rocm")]
            Self::Rocm => {
                let driver = start_of("/sys/module/amdgpu/version");
                let version = start_of("/opt/rocm/.info/version");
                Ok(OpenDevice::named_by_itself(Device::rocm(0usize), [driver, version]))
            }
            #[allow(unreachable_patterns)] // With every feature on, no backend is left over.
            _ => unreachable!("open() checked that {self} is compiled"),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

fn names(backends: &[Backend]) -> String {
    backends.iter().map(|backend| backend.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
fn graphics(api: burn::tensor::wgpu::WgpuBackend) -> Result<OpenDevice, String> {
    let options = Device::wgpu_options().graphics_api(api);
    let (device, setup) = options.init_with_setup().map_err(|error| error.to_string())?;
    let adapter = setup.adapter.get_info();
    // wgpu takes a driver that runs on the CPU if there is no other; the user should see it.
    let place = match adapter.device_type {
        burn::tensor::wgpu::wgpu::DeviceType::Cpu => ", no GPU: runs on the CPU",
        _ => "",
    };
    let name = format!("{} ({:?}{place})", adapter.name, adapter.backend);
    let driver = format!("{} {}", adapter.driver, adapter.driver_info).trim().to_owned();
    Ok(OpenDevice { device, name, driver: Some(driver).filter(|driver| !driver.is_empty()) })
}

/// How a file of the system begins that tells a version.
#[cfg(any(feature = "cuda", feature = "rocm"))]
fn start_of(path: impl AsRef<std::path::Path>) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let words = text.split_whitespace().take(24).collect::<Vec<_>>().join(" ");
    Some(words).filter(|words| !words.is_empty())
}

/// A header that kernels include.
#[cfg(any(test, feature = "cuda"))]
const HEADER: &str = "include/cuda_fp16.h";

/// Checks that NVRTC, which compiles kernels on the machine that runs them, will find the toolkit's headers in the folder
/// that CubeCL looks in, which panics on a thread of its own if there is none.
#[cfg(any(test, feature = "cuda"))]
fn check_headers(toolkit: Option<&std::path::Path>) -> Result<(), String> {
    let Some(toolkit) = toolkit else {
        return Err("no CUDA toolkit at CUDA_PATH, /usr/local/cuda, /opt/cuda or /usr, whose headers kernels are \
                    compiled with; install one, or set CUDA_PATH to its folder"
            .into());
    };
    if toolkit.join(HEADER).is_file() {
        return Ok(());
    }
    Err(format!(
        "the CUDA toolkit in {} has no {HEADER}, which kernels are compiled with; set CUDA_PATH to the folder of one that has",
        toolkit.display()
    ))
}

/// Model name of the processor, where the system tells it.
pub fn processor() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|rest| rest.split_once(':')).map(|(_, name)| name.trim().to_owned());
    model.unwrap_or_else(|| format!("{} processor", std::env::consts::ARCH))
}

/// Runs `work`, turning a panic into its message and keeping it off the terminal.
fn quietly<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    std::panic::set_hook(hook);
    outcome.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(text.unwrap_or_else(|| "the driver gave no reason".into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backend_is_found_by_its_name() {
        for backend in Backend::ALL {
            assert_eq!(Backend::named(backend.name()), Ok(backend));
        }
    }

    #[test]
    fn an_unknown_backend_is_refused_with_the_known_ones() {
        let message = Backend::named("tpu").unwrap_err().to_string();
        assert!(message.contains("`tpu`") && message.contains("flex, ndarray, wgpu"), "{message}");
    }

    #[test]
    fn a_backend_that_was_not_built_is_refused_with_the_cure() {
        for backend in Backend::ALL.into_iter().filter(|backend| !backend.is_compiled()) {
            let message = backend.open().unwrap_err().to_string();
            assert!(message.contains(&format!("--backend {backend}")), "{message}");
        }
    }

    #[test]
    fn every_backend_that_was_built_can_be_opened_again() {
        for backend in Backend::compiled() {
            let first = backend.open().unwrap();
            assert_eq!(backend.open().unwrap().name, first.name);
        }
    }

    #[test]
    fn a_toolkit_without_headers_is_refused_with_the_variable_that_names_another() {
        let place = tempfile::tempdir().unwrap();
        let toolkit = place.path().to_owned();
        for there in [None, Some(toolkit.as_path())] {
            let message = check_headers(there).unwrap_err();
            assert!(message.contains("CUDA_PATH"), "{message}");
        }
        std::fs::create_dir(toolkit.join("include")).unwrap();
        std::fs::write(toolkit.join(HEADER), "").unwrap();
        assert_eq!(check_headers(Some(&toolkit)), Ok(()));
    }

    #[test]
    fn a_panic_while_opening_becomes_its_message() {
        let reason = quietly::<()>(|| panic!("no driver {}", 7)).unwrap_err();
        assert_eq!(reason, "no driver 7");
    }
}
