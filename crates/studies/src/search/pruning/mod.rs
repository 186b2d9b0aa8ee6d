//! Which runs are stopped before their end, because their trial will hardly be the best.

mod halving;
pub mod look;
mod median;
pub mod watch;

use crate::search::pruning::look::Pruner;

/// Every run is trained to its end.
const NONE: Pruner =
    Pruner { name: "none", summary: "trains every run to its end", stops: |_| false };

/// Every rule, one row each; the first is used if none is named.
pub static CATALOG: &[Pruner] = &[NONE, median::PRUNER, halving::PRUNER];

/// The rule of a name.
///
/// # Errors
///
/// If there is none; the error lists those that there are.
pub fn named(name: &str) -> Result<&'static Pruner, String> {
    CATALOG.iter().find(|row| row.name == name).ok_or_else(|| {
        let known: Vec<&str> = CATALOG.iter().map(|row| row.name).collect();
        format!("unknown rule of pruning `{name}`; known: {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::pruning::look::Look;

    #[test]
    fn the_best_run_so_far_is_never_stopped() {
        let others = [0.1, 0.5, 0.3, 0.7, 0.6, 0.2];
        for row in CATALOG {
            assert_eq!(named(row.name).unwrap().name, row.name);
            for epoch in 1..20 {
                let look = Look { epoch, epochs: 20, score: 0.8, others: &others };
                assert!(!(row.stops)(&look), "{} at epoch {epoch}", row.name);
            }
        }
        assert!(named("hyperband").unwrap_err().contains("none, median, halving"));
    }

    #[test]
    fn every_rule_but_none_stops_a_hopeless_run() {
        let others = [0.5; 6];
        for row in &CATALOG[1..] {
            let look = Look { epoch: 5, epochs: 20, score: 0.1, others: &others };
            assert!((row.stops)(&look), "{}", row.name);
        }
    }
}
