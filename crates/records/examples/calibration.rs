//! How often the judgement of studies is wrong, on real runs: `cargo run --release -p backburn-records --example
//! calibration -- SCORES.csv`
//!
//! The table has a row a seed and a column an arm: `none`, arms without any effect (`replicate…`: the same training with
//! other orders and draws), and arms with one (any other name). Studies of a few seeds are drawn from it without
//! replacement; whatever such a study says of an arm without effect is a false alarm. `none` and the arms without effect
//! are equal but for what they draw, so that which of them is which is drawn anew for each seed of each study: the mean
//! difference that a table has by chance is no effect then. How sure the shares are is found
//! by drawing the seeds of the whole table again, with replacement (Efron, "Bootstrap Methods", 1979).

use std::collections::BTreeMap;

use backburn_records::statistics::sequential::{Plan, Resolved, default_looks};
use backburn_records::statistics::{PairedT, Spread, UnpairedT, holm, standard_error, wilcoxon};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Studies that are drawn from a table.
const STUDIES: usize = 2000;

/// Tables that are drawn from the table.
const RESAMPLES: usize = 100;

/// Seeds of a study.
const SEEDS: usize = 10;

/// The most seeds of a study that goes on until it is resolved.
const MOST_SEEDS: usize = 40;

/// Scores by arm, one a seed.
type Table = BTreeMap<String, Vec<f64>>;

/// A way to come to a verdict, and how often it is wrong.
struct Row {
    name: &'static str,
    wanted: &'static str,
    share: fn(&Table, &mut ChaCha8Rng) -> f64,
}

const ROWS: [Row; 10] = [
    Row {
        name: "paired t-test, 10 seeds, one arm: false alarms",
        wanted: "3 to 7 %",
        share: |table, draws| {
            one_null(table, draws, SEEDS, |arm, base| p(arm, base).is_some_and(|p| p < 0.05))
        },
    },
    Row {
        name: "the same, Holm-corrected over all arms without effect: any false alarm",
        wanted: "at most 7 %",
        share: |table, draws| {
            of_studies(table, draws, SEEDS, Nulls::Exchanged, |study| {
                let base = &study["none"];
                let tests = nulls(study).filter_map(|arm| p(arm, base)).collect::<Vec<_>>();
                holm(&tests).iter().any(|p| *p < 0.05)
            })
        },
    },
    Row {
        name: "until resolved, up to 40 seeds, all arms: any false alarm",
        wanted: "at most 6 %",
        share: |table, draws| {
            let arms = nulls(table).count();
            let plan = Plan::new(&default_looks(MOST_SEEDS), arms).expect("default looks");
            of_studies(table, draws, MOST_SEEDS, Nulls::Exchanged, |study| {
                let base = &study["none"];
                let differences: Vec<Vec<f64>> = nulls(study).map(|arm| minus(arm, base)).collect();
                let states = plan.state(MOST_SEEDS, &differences, 0.0);
                states.iter().any(|state| state.resolved == Resolved::Different)
            })
        },
    },
    Row {
        name: "95 % interval of a real arm, 10 seeds: holds the mean of all seeds",
        wanted: "93 to 97 %",
        share: |table, draws| {
            let real = table.iter().find(|(name, _)| is_real(name));
            let Some((name, values)) = real else { return f64::NAN };
            let truth = Spread::of(&minus(values, &table["none"])).mean;
            of_studies(table, draws, SEEDS, Nulls::AsTheyAre, |study| {
                let test = PairedT::of(&minus(&study[name], &study["none"]));
                test.is_some_and(|test| test.interval.0 <= truth && truth <= test.interval.1)
            })
        },
    },
    Row {
        name: "others: two standard errors, 3 seeds",
        wanted: "",
        share: |table, draws| {
            one_null(table, draws, 3, |arm, base| {
                let differences = minus(arm, base);
                Spread::of(&differences).mean.abs() > 2.0 * standard_error(&differences)
            })
        },
    },
    Row {
        name: "others: two standard errors of unpaired means, 3 seeds",
        wanted: "",
        share: |table, draws| {
            one_null(table, draws, 3, |arm, base| {
                let error = standard_error(arm).hypot(standard_error(base));
                (Spread::of(arm).mean - Spread::of(base).mean).abs() > 2.0 * error
            })
        },
    },
    Row {
        name: "others: unpaired t-test (Welch), 10 seeds",
        wanted: "",
        share: |table, draws| {
            one_null(table, draws, SEEDS, |arm, base| {
                UnpairedT::of(arm, base).is_some_and(|test| test.p < 0.05)
            })
        },
    },
    Row {
        name: "others: Wilcoxon's signed ranks, 5 seeds",
        wanted: "",
        share: |table, draws| {
            one_null(table, draws, 5, |arm, base| {
                wilcoxon(&minus(arm, base)).is_some_and(|p| p < 0.05)
            })
        },
    },
    Row {
        name: "others: the best of 5 seeds is better than the base's best",
        wanted: "",
        share: |table, draws| one_null(table, draws, 5, |arm, base| best(arm) > best(base)),
    },
    Row {
        name: "others: one seed, and it is better",
        wanted: "",
        share: |table, draws| one_null(table, draws, 1, |arm, base| arm[0] > base[0]),
    },
];

fn main() {
    let path = std::env::args().nth(1).expect("the table of scores: SCORES.csv");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let table = read(&text);
    let seeds = table["none"].len();
    println!(
        "{seeds} seeds, {} arms without effect; {STUDIES} studies each\n",
        nulls(&table).count()
    );
    println!(
        "| verdict | wanted | share | 95 % of tables drawn again |\n| --- | --- | --- | --- |"
    );
    for row in ROWS {
        let share = (row.share)(&table, &mut ChaCha8Rng::seed_from_u64(1));
        let mut again: Vec<f64> = (0..RESAMPLES)
            .map(|number| {
                let mut draws = ChaCha8Rng::seed_from_u64(1000 + number as u64);
                let chosen: Vec<usize> = (0..seeds).map(|_| below(&mut draws, seeds)).collect();
                (row.share)(&of_seeds(&table, &chosen), &mut draws)
            })
            .collect();
        again.sort_by(f64::total_cmp);
        println!(
            "| {} | {} | {:.1} % | {:.1} to {:.1} % |",
            row.name,
            row.wanted,
            100.0 * share,
            100.0 * again[RESAMPLES / 40],
            100.0 * again[RESAMPLES - 1 - RESAMPLES / 40]
        );
    }
}

fn read(text: &str) -> Table {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<&str> = lines.next().expect("a line with the arms' names").split(',').collect();
    let mut table = Table::new();
    for line in lines {
        for (name, value) in names.iter().zip(line.split(',')).skip(1) {
            let value = value.parse().unwrap_or_else(|_| panic!("no number: {value} in {line}"));
            table.entry((*name).to_owned()).or_default().push(value);
        }
    }
    table
}

fn is_null(name: &str) -> bool {
    name.starts_with("replicate")
}

fn is_real(name: &str) -> bool {
    name != "none" && !is_null(name)
}

fn nulls(table: &Table) -> impl Iterator<Item = &Vec<f64>> {
    table.iter().filter(|(name, _)| is_null(name)).map(|(_, values)| values)
}

fn minus(arm: &[f64], base: &[f64]) -> Vec<f64> {
    arm.iter().zip(base).map(|(arm, base)| arm - base).collect()
}

fn best(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn p(arm: &[f64], base: &[f64]) -> Option<f64> {
    PairedT::of(&minus(arm, base)).map(|test| test.p)
}

/// A number from 0 to `limit`, that one excluded.
fn below(draws: &mut ChaCha8Rng, limit: usize) -> usize {
    (draws.next_u64() % limit as u64) as usize
}

fn of_seeds(table: &Table, seeds: &[usize]) -> Table {
    let of = |values: &Vec<f64>| seeds.iter().map(|seed| values[*seed]).collect();
    table.iter().map(|(name, values)| (name.clone(), of(values))).collect()
}

/// Whether it is drawn which of the arms that are equal is the base.
#[derive(Clone, Copy, PartialEq)]
enum Nulls {
    AsTheyAre,
    Exchanged,
}

/// Draws for each seed which of the arms that are equal is which.
fn exchange(study: &mut Table, draws: &mut ChaCha8Rng) {
    let equal = study.iter_mut().filter(|(name, _)| !is_real(name));
    let mut equal: Vec<&mut Vec<f64>> = equal.map(|(_, values)| values).collect();
    for seed in 0..equal[0].len() {
        for place in (1..equal.len()).rev() {
            let other = below(draws, place + 1);
            let (low, high) = equal.split_at_mut(place);
            if let Some(low) = low.get_mut(other) {
                std::mem::swap(&mut low[seed], &mut high[0][seed]);
            }
        }
    }
}

/// The share of studies with so many seeds of which something is true.
fn of_studies(
    table: &Table,
    draws: &mut ChaCha8Rng,
    seeds: usize,
    nulls: Nulls,
    is_true: impl Fn(&Table) -> bool,
) -> f64 {
    let all = table["none"].len();
    let mut order: Vec<usize> = (0..all).collect();
    let counted = (0..STUDIES).filter(|_| {
        for place in 0..seeds {
            let other = place + below(draws, all - place);
            order.swap(place, other);
        }
        let mut study = of_seeds(table, &order[..seeds]);
        if nulls == Nulls::Exchanged {
            exchange(&mut study, draws);
        }
        is_true(&study)
    });
    counted.count() as f64 / STUDIES as f64
}

/// The share of studies with one arm without effect, each of them in turn, of which something is true.
fn one_null(
    table: &Table,
    draws: &mut ChaCha8Rng,
    seeds: usize,
    is_true: impl Fn(&[f64], &[f64]) -> bool,
) -> f64 {
    let names: Vec<&String> = table.keys().filter(|name| is_null(name)).collect();
    let shares = names.iter().map(|name| {
        of_studies(table, draws, seeds, Nulls::Exchanged, |study| {
            is_true(&study[*name], &study["none"])
        })
    });
    shares.sum::<f64>() / names.len() as f64
}
