//! What an ensemble costs in use: `cargo run --release -p backburn-experiments --example prediction_time`
//!
//! The networks of the experiment `ensemble`, MLPs of six hidden layers of 100 units, predict 10,000 images of 28×28:
//! one network, the mean of ten, one that was trained with dropout, and the mean of 50 draws of it. Weights and pixels
//! make no difference to the time, so that both are arbitrary. Medians of rounds in which all take their turn.

use std::sync::Arc;
use std::time::Instant;

use backburn_data::normalization::Normalization;
use backburn_data::{ImageSet, ImageShape};
use backburn_models::{Initialization, MlpConfig, ModelConfig, Network};
use backburn_training::backend::Backend;
use backburn_training::evaluate::monte_carlo_dropout::DroppingNetwork;
use backburn_training::evaluate::predict;
use backburn_training::seeds::Seeds;

const IMAGES: usize = 10_000;
const NETWORKS: usize = 10;
const DRAWS: usize = 50;
const ROUNDS: usize = 9;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Backend::preferred().open()?.device;
    let shape = ImageShape { channels: 1, height: 28, width: 28 };
    let pixels = (0..IMAGES * shape.pixels()).map(|at| (at * 31 % 251) as u8).collect();
    let labels = (0..IMAGES).map(|image| (image % 10) as u16).collect();
    let images = Arc::new(ImageSet::new(shape, 10, pixels, labels)?);
    let normalization = Normalization::Unit.fit(&images)?;
    let seeds = Seeds::new(1);
    let network = |dropout: f64| -> Result<Network, Box<dyn std::error::Error>> {
        let config = MlpConfig { hidden: vec![100; 6], dropout, batch_norm: false };
        let network = ModelConfig::Mlp(config).init([1, 28, 28], 10, &device)?;
        Ok(Initialization::default().apply(network, |name| seeds.weights(name)))
    };
    let (plain, dropout) = (network(0.0)?, network(0.2)?);
    let dropping = DroppingNetwork::new(&dropout);
    let mut seconds = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        for (kind, seconds) in seconds.iter_mut().enumerate() {
            let began = Instant::now();
            match kind {
                0 => drop(predict(&plain, &images, &normalization, &device)?.scores()),
                1 => {
                    let mut sum = vec![0.0; IMAGES * 10];
                    for _ in 0..NETWORKS {
                        let answers = predict(&plain, &images, &normalization, &device)?;
                        let added = sum.iter_mut().zip(answers.probabilities());
                        added.for_each(|(sum, probability)| *sum += probability);
                    }
                    std::hint::black_box(sum);
                }
                2 => drop(predict(&dropout, &images, &normalization, &device)?.scores()),
                _ => {
                    let draws = dropping.predict(&images, &normalization, &device, DRAWS, seeds)?;
                    std::hint::black_box(draws.mean.scores());
                }
            }
            seconds.push(began.elapsed().as_secs_f64());
        }
    }
    println!(
        "| in use | passes | ms for {IMAGES} images | times one network |\n| --- | --- | --- | --- |"
    );
    let medians = seconds.map(|mut seconds| {
        seconds.sort_by(f64::total_cmp);
        seconds[ROUNDS / 2]
    });
    let names = [
        ("one network", 1),
        ("mean of ten networks", NETWORKS),
        ("dropout, all units at work", 1),
        ("dropout, mean of 50 draws", DRAWS),
    ];
    for ((name, passes), median) in names.into_iter().zip(medians) {
        println!("| {name} | {passes} | {:.0} | {:.1} |", 1000.0 * median, median / medians[0]);
    }
    Ok(())
}
