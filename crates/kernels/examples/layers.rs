//! How fast 3×3 convolutions of stride 1 are, layer by layer: `MIMALLOC_PURGE_DELAY=5000 cargo run --release -p
//! backburn-kernels --example layers [BATCH]`. Rates are those of the plain sum, with its products of padding: products
//! over time, as a multiple of what the machine reaches on numbers in its registers. `BACKBURN_CONVOLUTIONS=plain` measures
//! the plain sums.

use std::time::Instant;

use backburn_kernels::cpu::{
    ConvShape, Finish, WeightLayout, convolve, input_gradient, product_rate, weight_gradient,
};

/// As in the program, which keeps for five seconds what a step gave back (`MIMALLOC_PURGE_DELAY`): the system's allocator asks
/// for the pages of every result anew, which takes as long as half of a layer of 512 channels at batch 32.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Input channels, output channels, rows and columns: of ResNet-18, ResNet-20 and `cnn`.
const LAYERS: [[usize; 3]; 11] = [
    [3, 16, 32],
    [3, 64, 32],
    [16, 16, 32],
    [32, 32, 16],
    [64, 64, 8],
    [32, 64, 14],
    [64, 64, 32],
    [128, 128, 16],
    [256, 256, 8],
    [512, 512, 4],
    [256, 256, 3],
];
const ROUNDS: usize = 7;
/// Least length of a round in seconds: of a pass of a millisecond the second thread may miss half, and not of many in a row.
const ROUND: f64 = 0.1;

fn main() {
    let batch = std::env::args().nth(1).map_or(Ok(128), |batch| batch.parse());
    let batch = batch.expect("a number of images");
    println!("{:>16} {:>9} {:>9} {:>9}", "layer", "forward", "input", "weights");
    for [inputs, outputs, side] in LAYERS {
        let shape = ConvShape {
            batch,
            input: [side, side],
            inputs,
            outputs,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
        };
        let layout = WeightLayout::convolution(inputs, 9);
        let input = numbers(batch * side * side * inputs);
        let gradient = numbers(batch * side * side * outputs);
        let weights = numbers(outputs * inputs * 9);
        let products = (batch * side * side * outputs * inputs * 9) as f64;
        let rate = |pass: &dyn Fn() -> Vec<f32>| {
            let mut rates: Vec<f64> = (0..ROUNDS)
                .map(|_| {
                    let before = product_rate();
                    let (began, mut passes) = (Instant::now(), 0.0);
                    while passes == 0.0 || began.elapsed().as_secs_f64() < ROUND {
                        std::hint::black_box(pass());
                        passes += 1.0;
                    }
                    passes * products / began.elapsed().as_secs_f64() / before
                })
                .collect();
            rates.sort_by(f64::total_cmp);
            rates[ROUNDS / 2]
        };
        let forward = rate(&|| convolve(&shape, &input, &weights, layout, Finish::default()));
        let back = rate(&|| input_gradient(&shape, &gradient, &weights, layout));
        let weights = rate(&|| weight_gradient(&shape, &input, &gradient, layout));
        let name = format!("{inputs}-{outputs}, {side}x{side}");
        println!("{name:>16} {forward:>9.2} {back:>9.2} {weights:>9.2}");
    }
}

/// Numbers between -1 and 1.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|at| (at * 7919 % 2001) as f32 / 1000.0 - 1.0).collect()
}
