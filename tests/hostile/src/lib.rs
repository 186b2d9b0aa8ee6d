//! What must hold for any bytes that come from outside: a file of a data set, an archive, a recipe,
//! a run folder, a checkpoint, the text of a flag.
//!
//! [`TARGETS`] lists what reads them, one row each. A target's function panics if a promise is
//! broken; reading must give a value or an error. The tests of this crate call it with thousands of
//! mutated inputs on stable Rust, `fuzz/` with what libFuzzer makes up. Every call is also held to
//! the target's bound on memory.

#[cfg(feature = "burn")]
mod checkpoint;
mod data_set;
#[cfg(feature = "burn")]
mod logs;
mod memory;
pub mod mutation;
mod picture;
mod run_folder;
#[cfg(feature = "burn")]
mod settings;
#[cfg(feature = "burn")]
mod state_dict;
#[cfg(feature = "burn")]
mod weights;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Something that reads bytes from outside.
#[derive(Debug)]
pub struct Target {
    /// Name of its fuzz target, its folder of seeds and its test.
    pub name: &'static str,
    /// Reads the bytes and checks what must hold; whether they were taken for valid.
    check: fn(&[u8]) -> bool,
    /// Inputs that are valid, or nearly so, to start from.
    pub seeds: fn() -> Vec<Seed>,
    /// Memory that it may take, whatever the input.
    fixed_bytes: usize,
    /// Memory that it may take for each byte of the input.
    bytes_per_byte: usize,
}

/// An input to start from.
#[derive(Debug)]
pub struct Seed {
    /// File name.
    pub name: &'static str,
    /// The input.
    pub bytes: Vec<u8>,
    /// Whether the target takes it for valid.
    pub is_valid: bool,
}

impl Seed {
    fn valid(name: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name, bytes: bytes.into(), is_valid: true }
    }

    fn refused(name: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name, bytes: bytes.into(), is_valid: false }
    }
}

/// Deflate makes at most 1032 bytes of one, and a growing vector holds its old half while it copies.
const INFLATED: usize = 3 * 1032;

/// Everything that reads bytes from outside.
pub static TARGETS: &[Target] = &[
    Target {
        name: "idx",
        check: data_set::idx,
        seeds: data_set::idx_seeds,
        // Half of it is the state of the compressor that the check itself needs.
        fixed_bytes: 512 << 10,
        bytes_per_byte: INFLATED,
    },
    Target {
        name: "cifar_batch",
        check: data_set::cifar_batch,
        seeds: data_set::cifar_batch_seeds,
        fixed_bytes: 256 << 10,
        bytes_per_byte: 4,
    },
    Target {
        name: "cifar_100",
        check: data_set::cifar_100,
        seeds: data_set::cifar_100_seeds,
        fixed_bytes: 256 << 10,
        bytes_per_byte: 6,
    },
    Target {
        name: "npy",
        check: data_set::npy,
        seeds: data_set::npy_seeds,
        fixed_bytes: 64 << 10,
        bytes_per_byte: 8,
    },
    Target {
        name: "picture",
        check: picture::decoded,
        seeds: picture::seeds,
        // What texts and profiles beside the pixels may take, each of several times.
        fixed_bytes: 256 << 20,
        bytes_per_byte: 64,
    },
    Target {
        name: "archive",
        check: data_set::archive,
        seeds: data_set::archive_seeds,
        fixed_bytes: 1 << 20,
        bytes_per_byte: 4,
    },
    Target {
        name: "run_folder",
        check: run_folder::read_and_draw,
        seeds: run_folder::seeds,
        fixed_bytes: 8 << 20,
        bytes_per_byte: 2000,
    },
    #[cfg(feature = "burn")]
    Target {
        name: "weights",
        check: weights::read,
        seeds: weights::seeds,
        fixed_bytes: 64 << 10,
        bytes_per_byte: 64,
    },
    #[cfg(feature = "burn")]
    Target {
        name: "state_dict",
        check: state_dict::read,
        seeds: state_dict::seeds,
        fixed_bytes: 64 << 10,
        // A value of a pickle for every instruction of a byte, while the list of them grows.
        bytes_per_byte: 256,
    },
    #[cfg(feature = "burn")]
    Target {
        name: "checkpoint",
        check: checkpoint::restore,
        seeds: checkpoint::seeds,
        fixed_bytes: 4 << 20,
        bytes_per_byte: 64,
    },
    #[cfg(feature = "burn")]
    Target {
        name: "recipe",
        check: settings::recipe,
        seeds: settings::recipe_seeds,
        fixed_bytes: 1 << 20,
        bytes_per_byte: 1000,
    },
    #[cfg(feature = "burn")]
    Target {
        name: "search_space",
        check: settings::search_space,
        seeds: settings::search_space_seeds,
        fixed_bytes: 1 << 20,
        bytes_per_byte: 1000,
    },
    #[cfg(feature = "burn")]
    Target {
        name: "text_forms",
        check: settings::text_forms,
        seeds: settings::text_form_seeds,
        fixed_bytes: 1 << 20,
        bytes_per_byte: 1000,
    },
    #[cfg(feature = "burn")]
    Target {
        name: "losses",
        check: settings::losses,
        seeds: settings::losses_seeds,
        fixed_bytes: 256 << 10,
        bytes_per_byte: 8,
    },
    #[cfg(feature = "burn")]
    Target {
        name: "event_file",
        check: logs::event_file,
        seeds: logs::event_file_seeds,
        fixed_bytes: 256 << 10,
        bytes_per_byte: 16,
    },
    #[cfg(feature = "burn")]
    Target {
        name: "scalars",
        check: logs::scalars,
        seeds: logs::scalars_seeds,
        fixed_bytes: 256 << 10,
        bytes_per_byte: 32,
    },
];

/// The target of that name, ready to run.
///
/// # Panics
///
/// If there is none.
pub fn target(name: &str) -> &'static Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    let found = found.unwrap_or_else(|| panic!("no target `{name}`"));
    // What is made once, such as a data set or the list of the published ones, is not the first
    // input's doing.
    drop((found.seeds)());
    let _ = backburn_data::publication::all();
    found
}

impl Target {
    /// Feeds it one input; whether it was taken for valid.
    ///
    /// # Panics
    ///
    /// If a promise is broken or too much memory was taken.
    pub fn run(&self, input: &[u8]) -> bool {
        let (is_valid, peak) = memory::peak_of(|| (self.check)(input));
        let most = self.most_bytes(input.len());
        let (name, length) = (self.name, input.len());
        assert!(peak <= most, "{name}: {peak} bytes of memory for {length} of input; most {most}");
        is_valid
    }

    /// The most memory that an input of this length may take.
    pub fn most_bytes(&self, input: usize) -> usize {
        self.fixed_bytes + self.bytes_per_byte * input
    }
}
