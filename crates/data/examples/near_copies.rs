//! Times the search for near copies, and says what it found:
//! `cargo run --release -p backburn-data --example near_copies -- cifar10 [within | groups] [THRESHOLD]`.

use std::convert::Infallible;
use std::error::Error;
use std::time::Instant;

use backburn_data::near_copies::{NearCopies, THRESHOLDS, groups};
use backburn_data::{Source, TestLog, load};

/// Nothing is selected by what is seen here.
struct NoLog;

impl TestLog for NoLog {
    type Error = Infallible;

    fn record(&mut self, _: &str, _: &str) -> Result<usize, Infallible> {
        Ok(1)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |place: usize| arguments.get(place).map(String::as_str);
    let set = load(argument(0).unwrap_or("cifar10"), &Source::from_environment(None))?;
    let threshold = argument(2).unwrap_or("0.95").parse()?;
    let start = Instant::now();
    let found = match argument(1) {
        Some("groups") => {
            let groups = groups(&set.train, threshold, &|_| {})?;
            let first = groups.iter().enumerate().filter(|&(place, &group)| place == group);
            println!("{} groups of {} images", first.count(), groups.len());
            println!("{:.1} s", start.elapsed().as_secs_f64());
            return Ok(());
        }
        Some("within") => NearCopies::within(&set.train, threshold, &|_| {})?,
        _ => {
            let Ok(test) = set.test.open(&mut NoLog, "near copies", "none");
            NearCopies::between(test.for_final_scores(), &set.train, threshold, &|_| {})?
        }
    };
    println!("{:.1} s", start.elapsed().as_secs_f64());
    for threshold in THRESHOLDS.into_iter().chain([threshold]) {
        println!("{:?}", found.count(threshold));
    }
    for copy in found.copies.iter().take(12) {
        println!("{copy:?}");
    }
    Ok(())
}
