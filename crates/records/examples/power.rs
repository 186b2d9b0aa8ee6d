//! Whether studies foretell how many seeds they need, on real runs: `cargo run --release -p backburn-records --example
//! power -- SCORES.csv ARM`
//!
//! The need is what a paired t-test at 5 % wants to see the arm's difference from `none` in 4 of 5 studies, given the
//! spread of the differences over all seeds of the table. Studies of a few seeds, each with seeds of its own,
//! foretell it from theirs: the first twenty, and all that the table has seeds for.

use backburn_records::statistics::power::{Forecast, seeds_needed};
use backburn_records::statistics::{Spread, correlation};

/// Studies that are shown beside all that the table has seeds for.
const STUDIES: usize = 20;

/// The chance to see the difference.
const POWER: f64 = 0.8;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("the table of scores: SCORES.csv");
    let arm = arguments.next().expect("the name of an arm");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<&str> = lines.next().expect("a line with the arms' names").split(',').collect();
    let column = |name: &str| {
        let place = names.iter().position(|known| *known == name);
        place.unwrap_or_else(|| panic!("no arm {name} in {path}; known: {}", names[1..].join(", ")))
    };
    let (base, other) = (column("none"), column(&arm));
    let (first, second): (Vec<f64>, Vec<f64>) = lines
        .map(|line| {
            let value = |place: usize| -> Option<f64> {
                line.split(',').nth(place).and_then(|text| text.parse().ok())
            };
            (value(base).expect("a number"), value(other).expect("a number"))
        })
        .unzip();
    let differences: Vec<f64> = second.iter().zip(&first).map(|(arm, base)| arm - base).collect();
    let Spread { mean, standard_deviation } = Spread::of(&differences);
    let needed = seeds_needed(mean.abs(), standard_deviation, POWER).expect("a need");
    println!(
        "{arm} against none: {mean:+.3} with standard deviation {standard_deviation:.3} over {} seeds, correlation \
         {:.2}; needed: {needed} seeds\n",
        differences.len(),
        correlation(&first, &second)
    );
    println!("| seeds seen | studies | ranges that hold the need | median of forecast / need |");
    println!("| --- | --- | --- | --- |");
    for seen in [5, 8, 10] {
        let forecasts: Vec<Forecast> = differences
            .chunks_exact(seen)
            .filter_map(|seeds| Forecast::of(seeds, mean.abs(), POWER))
            .collect();
        for forecasts in [&forecasts[..STUDIES.min(forecasts.len())], &forecasts] {
            let held = forecasts.iter().filter(|it| (it.low..=it.high).contains(&needed)).count();
            let mut ratios: Vec<f64> =
                forecasts.iter().map(|it| it.seeds as f64 / needed as f64).collect();
            ratios.sort_by(f64::total_cmp);
            let median = ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN);
            println!("| {seen} | {} | {held} | {median:.2} |", forecasts.len());
        }
    }
}
