//! What an activation costs behind batch normalization, forward and for the gradients: `cargo run --release -p
//! backburn-kernels --example activations [BATCH]`. Nanoseconds for a number of the feature map, medians of turns.

use std::time::Instant;

use backburn_kernels::cpu::{
    Activation, FollowedBy, Moments, NormalizeForward, Statistics, moments, normalize,
    normalize_gradient,
};

/// Rows and columns, channels: of images on which small networks for CIFAR-10 spend their time.
const MAPS: [[usize; 2]; 4] = [[31, 64], [15, 64], [7, 256], [3, 256]];
const ACTIVATIONS: [Activation; 3] = [Activation::Identity, Activation::Relu, Activation::Silu];
const ROUNDS: usize = 15;

fn main() {
    let batch = std::env::args().nth(1).map_or(Ok(128), |batch| batch.parse());
    let batch: usize = batch.expect("a number of images");
    print!("{:>12}", "map");
    for pass in ["forward", "gradient"] {
        ACTIVATIONS.iter().for_each(|it| print!(" {:>17}", format!("{pass} {it:?}")));
    }
    println!();
    for [side, channels] in MAPS {
        let map = Map::new(batch * side * side, channels);
        let mut times = [const { Vec::new() }; 2 * ACTIVATIONS.len()];
        for _ in 0..ROUNDS {
            for (number, activation) in ACTIVATIONS.into_iter().enumerate() {
                let [forward, gradient] = map.times(activation);
                times[number].push(forward);
                times[ACTIVATIONS.len() + number].push(gradient);
            }
        }
        print!("{:>12}", format!("{side}x{side}, {channels}"));
        for mut times in times {
            times.sort_by(f64::total_cmp);
            print!(" {:>17.3}", times[ROUNDS / 2]);
        }
        println!();
    }
}

/// A feature map and what its normalization takes.
struct Map {
    x: Vec<f32>,
    moments: Moments,
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

impl Map {
    fn new(rows: usize, channels: usize) -> Self {
        let x = numbers(rows * channels);
        let (gamma, beta) = (vec![1.0; channels], numbers(channels));
        Self { moments: moments(&x, channels), x, gamma, beta }
    }

    /// Nanoseconds for each number, forward and for the gradients.
    fn times(&self, activation: Activation) -> [f64; 2] {
        let Self { x, moments, gamma, beta } = self;
        let each = 1e9 / x.len() as f64;
        let epsilon = 1e-5;
        let began = Instant::now();
        std::hint::black_box(normalize(x, moments, gamma, beta, epsilon, None, activation));
        let forward = began.elapsed().as_secs_f64();
        let followed_by = match activation {
            Activation::Identity => FollowedBy::Nothing,
            Activation::Relu => FollowedBy::Relu { beta },
            Activation::Silu => FollowedBy::Silu { beta, residual: None },
        };
        let statistics = Statistics::OfBatch;
        let made = NormalizeForward { x, moments, statistics, gamma, epsilon, followed_by };
        let of_output = x.clone();
        let began = Instant::now();
        std::hint::black_box(normalize_gradient(made, of_output, false));
        [forward * each, began.elapsed().as_secs_f64() * each]
    }
}

/// Numbers between -1 and 1.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|at| (at * 7919 % 2001) as f32 / 1000.0 - 1.0).collect()
}
