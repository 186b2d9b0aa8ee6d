//! When the first step of a training is done, how many kernels a later one launches, by what they are for, and what it
//! uploads: `cargo run --release -p
//! backburn-training --no-default-features --features wgpu --example launches -- [MODEL] [BATCH SIZE]
//! [FOLDER]`
//!
//! Counted on the device that the backend finds, which may be Mesa's Vulkan driver for CPUs: numbers of launches are those of
//! any device on which tuning makes the same choices. What was chosen is kept in the folder that is named third, for the next
//! process: its first step is that of a second start. A step is what the loop of `train` does: a batch is uploaded, then
//! forward pass, loss, backward pass and Adam.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use backburn_models::CATALOG;
use backburn_training::backend::Backend;
use backburn_training::speed::training::{Training, image};
use backburn_training::tuning;
use burn::backend::fusion::observer::{BlockOperations, FusionObservation, FusionObserver};
use burn::backend::ir::{ModuleOperationIr, OperationIr};
use cubecl::config::{TypeNameFormatLevel, type_name_format};
use cubecl::logging::{LaunchObservation, LaunchObserver};

/// Steps before the one that is counted: the first ones tune, and find what can be fused.
const WARM_UP: usize = 4;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "cnn".to_owned());
    let batch_size = arguments.next().map_or(Ok(32), |text| text.parse())?;
    let architecture =
        CATALOG.iter().find(|it| it.name == name).ok_or("no architecture of that name")?;
    if let Some(folder) = arguments.next() {
        tuning::keep_in(folder.into());
    }
    let model = (architecture.config)();
    let graphics: Vec<_> =
        Backend::compiled().into_iter().filter(|it| !it.computes_on_the_host()).collect();
    let backend =
        graphics.first().ok_or("this program was built without a backend that launches kernels")?;
    let device = backend.open()?;
    let (mut training, seconds) =
        Training::start(&model, image(&name), batch_size, &device.device)?;
    for _ in 0..WARM_UP {
        training.step_on_another_batch();
    }

    let counts = Arc::new(Counts::default());
    training.wait();
    let observed = (FusionObservation::new(counts.clone()), LaunchObservation::new(counts.clone()));
    training.step_on_another_batch();
    training.wait();
    drop(observed);

    println!("{name}, batch {batch_size}, {backend} on {}", device.name);
    println!("{seconds:>6.1} s until the first step was done");
    counts.print();
    tuning::finish().iter().for_each(|problem| println!("note: {problem}"));
    Ok(())
}

/// What was launched and uploaded.
#[derive(Debug, Default)]
struct Counts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What the operations are for that are carried out now.
    now: Option<&'static str>,
    /// By what they are for, and by kernel.
    launches: BTreeMap<(&'static str, String), usize>,
    uploads: usize,
    bytes: usize,
}

impl Counts {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn print(&self) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for ((kind, _), launches) in &state.launches {
            *kinds.entry(kind).or_default() += launches;
        }
        println!("{:>6} launches", kinds.values().sum::<usize>());
        for (kind, launches) in &kinds {
            println!("{launches:>6} {kind}");
            for ((of, kernel), launches) in state.launches.iter().filter(|it| it.0.0 == *kind) {
                debug_assert_eq!(of, kind);
                println!("{launches:>12} {kernel}");
            }
        }
        println!("{:>6} uploads of {} bytes", state.uploads, state.bytes);
    }
}

impl LaunchObserver for Counts {
    fn launched(&self, kernel: &'static str) {
        let name = type_name_format(kernel, TypeNameFormatLevel::Short);
        self.change(|state| {
            let kind = state.now.unwrap_or("outside of operations");
            *state.launches.entry((kind, name)).or_default() += 1;
        });
    }
}

impl FusionObserver for Counts {
    fn registered(&self, operation: &OperationIr) {
        if let OperationIr::Init(upload) = operation {
            self.change(|state| {
                state.uploads += 1;
                state.bytes += upload.out.shape.num_elements() * upload.out.dtype.size();
            });
        }
    }

    fn block_starts(&self, block: BlockOperations<'_>) {
        // What is not elementwise says what a block of several is for.
        let kind = block.iter().map(kind).min_by_key(|kind| *kind == ELEMENTWISE);
        let kind = kind.unwrap_or("nothing");
        self.change(|state| state.now = Some(kind));
    }

    fn block_ran(&self) {
        self.change(|state| state.now = None);
    }
}

const ELEMENTWISE: &str = "elementwise, sums and products";

/// What an operation is for.
fn kind(operation: &OperationIr) -> &'static str {
    match operation {
        OperationIr::Module(module) => match module {
            ModuleOperationIr::Conv2d(_) => "convolution",
            ModuleOperationIr::Conv2dXBackward(_) => "convolution, inputs' gradient",
            ModuleOperationIr::Conv2dWeightBackward(_) => "convolution, weights' gradient",
            ModuleOperationIr::Conv2dBiasBackward(_) => "convolution, bias's gradient",
            ModuleOperationIr::MaxPool2dWithIndices(_)
            | ModuleOperationIr::MaxPool2d(_)
            | ModuleOperationIr::MaxPool2dWithIndicesBackward(_) => "pooling",
            _ => "other layers",
        },
        OperationIr::Custom(_) => "kernels of our own",
        OperationIr::Init(_) => "uploads",
        _ => ELEMENTWISE,
    }
}
