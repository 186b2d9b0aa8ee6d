//! Which sampler finds the better settings with as many trials: `cargo run --release -p backburn-studies --example
//! compare_samplers [REPETITIONS] [--trainings]`. `docs/search.md` has what it printed.
//!
//! The objectives are formulas in the shape of validation errors, with the chance of 1,000 validation images added; with
//! `--trainings`, small networks on the digits that the program draws itself. A repetition is a seed. Of each search the
//! trial with the lowest validation error is taken, and of that its error without the chance of the images: by the
//! formula, or on the test split. Samplers are compared with random search by pairs of repetitions.

use std::f64::consts::TAU;
use std::path::PathBuf;

use backburn_records::statistics::{Better, Judged, Spread};
use backburn_studies::search::driver::carry_out;
use backburn_studies::search::history::{Outcome, Tried, winner};
use backburn_studies::search::plan::Search;
use backburn_studies::search::space::{Space, varied};
use backburn_studies::trial::read;
use backburn_training::recipe::{Recipe, built_in};
use backburn_training::recipe_change::RecipeChange;
use backburn_training::run_options::RunOptions;
use backburn_training::seeds::Seeds;
use backburn_training::watch::Silent;
use rand::{Rng, RngExt};

const SAMPLERS: [&str; 3] = ["random", "sobol", "tpe"];
const BUDGETS: [usize; 2] = [30, 60];
/// Validation images whose chance is added.
const IMAGES: f64 = 1000.0;

/// A formula for the error, in `[0, 1]`.
struct Objective {
    name: &'static str,
    vary: &'static [&'static str],
    error: fn(&RecipeChange) -> f64,
}

const RATE: &str = "learning-rate=log:1e-5:1";
const DROPOUT: &str = "dropout=0:0.8";
const DECAY: &str = "weight-decay=log:1e-7:1e-1";

const OBJECTIVES: [Objective; 4] = [
    Objective { name: "bowl", vary: &[RATE, DROPOUT, DECAY], error: bowl },
    Objective { name: "valley of rate and decay", vary: &[RATE, DROPOUT, DECAY], error: valley },
    Objective {
        name: "bowl among settings without effect",
        vary: &[RATE, DROPOUT, DECAY, "label-smoothing=0:0.4", "mixup=0:1", "l1=log:1e-9:1e-5"],
        error: bowl,
    },
    Objective {
        name: "optimizer, each with its own rate",
        vary: &[RATE, DROPOUT, "optimizer=sgd|momentum|adam"],
        error: optimizers,
    },
];

/// A learning rate too large leaves nothing but guessing among ten classes.
const GUESSING: f64 = 0.9;

fn number(values: &RecipeChange, setting: &str) -> f64 {
    values.value(setting).and_then(|value| value.as_float()).unwrap()
}

fn log(values: &RecipeChange, setting: &str) -> f64 {
    number(values, setting).log10()
}

fn bowl(values: &RecipeChange) -> f64 {
    let (rate, decay) = (log(values, "learning-rate"), log(values, "weight-decay"));
    let dropout = number(values, "dropout");
    if rate > -0.7 {
        return GUESSING;
    }
    let error = 0.03
        + 0.03 * (rate + 2.5).powi(2)
        + 0.15 * (dropout - 0.35).powi(2)
        + 0.002 * (decay + 4.0).powi(2);
    error.min(GUESSING)
}

fn valley(values: &RecipeChange) -> f64 {
    let (rate, decay) = (log(values, "learning-rate"), log(values, "weight-decay"));
    let dropout = number(values, "dropout");
    if rate > -0.3 {
        return GUESSING;
    }
    // What counts is mostly the product.
    let error = 0.03
        + 0.004 * (rate + 2.0).powi(2)
        + 0.03 * (rate + decay + 6.0).powi(2)
        + 0.1 * (dropout - 0.2).powi(2);
    error.min(GUESSING)
}

fn optimizers(values: &RecipeChange) -> f64 {
    let (rate, dropout) = (log(values, "learning-rate"), number(values, "dropout"));
    let name = values.value("optimizer").and_then(|value| value.as_str()).unwrap();
    let (floor, best) = match name {
        "sgd" => (0.05, -0.6),
        "momentum" => (0.035, -1.6),
        _ => (0.03, -2.9),
    };
    if rate > best + 1.0 {
        return GUESSING;
    }
    let error = floor + 0.03 * (rate - best).powi(2) + 0.15 * (dropout - 0.3).powi(2);
    error.min(GUESSING)
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let repetitions = words.iter().find_map(|word| word.parse().ok()).unwrap_or(20);
    println!("| objective | trials | sampler | error % | against random, points | interval |");
    println!("| --- | --- | --- | --- | --- | --- |");
    if words.iter().any(|word| word == "--trainings") {
        let trials = 20;
        let errors = trainings().map(|(name, vary, recipe)| {
            let errors = repeated(repetitions, &|sampler, seed| {
                let recipe = Recipe { seed, ..recipe.clone() };
                error_of_training(&search(sampler, trials, &vary, recipe))
            });
            print(name, trials, &errors);
            errors
        });
        print("all three", trials, &mean(&errors));
        return;
    }
    for trials in BUDGETS {
        let errors = OBJECTIVES.each_ref().map(|objective| {
            let errors = repeated(repetitions, &|sampler, seed| {
                error_of_formula(objective, sampler, trials, seed)
            });
            print(objective.name, trials, &errors);
            errors
        });
        print("all four", trials, &mean(&errors));
    }
}

/// The errors of each sampler, a value a repetition.
type Errors = [Vec<f64>; SAMPLERS.len()];

fn repeated(repetitions: u64, error: &dyn Fn(&str, u64) -> f64) -> Errors {
    SAMPLERS.map(|sampler| (1..=repetitions).map(|seed| error(sampler, seed)).collect())
}

/// The mean over objectives in each repetition.
fn mean(all: &[Errors]) -> Errors {
    std::array::from_fn(|sampler| {
        let repetitions = 0..all[0][sampler].len();
        let mean = |repetition: usize| {
            all.iter().map(|errors| errors[sampler][repetition]).sum::<f64>() / all.len() as f64
        };
        repetitions.map(mean).collect()
    })
}

/// Prints a row for each sampler.
fn print(name: &str, trials: usize, errors: &Errors) {
    for (sampler, values) in SAMPLERS.into_iter().zip(errors) {
        let spread = Spread::of(values);
        let differences: Vec<f64> =
            values.iter().zip(&errors[0]).map(|(value, random)| 100.0 * (value - random)).collect();
        let judged = Judged::by_seeds(&differences, Better::Lower);
        let against = match (sampler, judged.interval) {
            ("random", _) | (_, None) => "| |".to_owned(),
            (_, Some((low, high))) => {
                format!("{:+.2} | {low:+.2} to {high:+.2} |", judged.difference)
            }
        };
        println!(
            "| {name} | {trials} | {sampler} | {:.2} ± {:.2} | {against}",
            100.0 * spread.mean,
            100.0 * spread.standard_deviation
        );
    }
}

fn search(sampler: &str, trials: usize, vary: &[&str], recipe: Recipe) -> Search {
    Search {
        sampler: sampler.into(),
        pruning: "none".into(),
        trials,
        rounds: 1,
        seeds: 1,
        grid_points: 3,
        vary: Space::new(vary.iter().map(|word| varied(word).unwrap()).collect()).unwrap(),
        recipe,
        folder: PathBuf::new(),
    }
}

/// The error by the formula of the trial that is best with the chance of the images.
fn error_of_formula(objective: &Objective, sampler: &str, trials: usize, seed: u64) -> f64 {
    let recipe = Recipe { seed, ..built_in("small").unwrap() };
    let search = search(sampler, trials, objective.vary, recipe);
    let mut tried: Vec<Tried> = Vec::new();
    for number in 1..=trials {
        let Some(values) = search.point(number, &tried).unwrap() else { break };
        let error = (objective.error)(&values);
        let chance = (error * (1.0 - error) / IMAGES).sqrt();
        // The same for all samplers.
        let mut rng = Seeds::new(seed).data(&format!("validation of trial {number}"));
        let accuracy = 1.0 - error + chance * normal(&mut rng);
        let outcome = Outcome::Scored(vec![accuracy.clamp(0.0, 1.0)]);
        tried.push(Tried { number, round: 1, values, outcome, curves: Vec::new() });
    }
    (objective.error)(&winner(&tried).unwrap().values)
}

/// A normal draw, by Box and Muller.
fn normal(rng: &mut impl Rng) -> f64 {
    let [a, b]: [f64; 2] = [rng.random(), rng.random()];
    (-2.0 * (1.0 - a).ln()).sqrt() * (TAU * b).cos()
}

/// Trainings of a second or less.
fn trainings() -> [(&'static str, Vec<&'static str>, Recipe); 3] {
    let small = |model: &str, images: i64, epochs: i64| {
        RecipeChange::default()
            .with("model", model)
            .with("train-size", images.to_string())
            .with("valid-size", "1000")
            .with("epochs", epochs)
            .with("batch-size", 50)
            .with("augment", "none")
            .with("schedule", "constant")
            .apply(&built_in("digits").unwrap())
            .unwrap()
    };
    let mlp = RecipeChange::default().with("hidden", "64").apply(&small("mlp", 300, 10)).unwrap();
    let optimizer = "optimizer=sgd|momentum|adam";
    [
        ("mlp, 300 digits", vec![RATE, DROPOUT, DECAY], mlp.clone()),
        ("mlp, 300 digits, optimizer", vec![RATE, DROPOUT, optimizer], mlp),
        ("lenet-bn, 300 digits", vec![RATE, DROPOUT, DECAY], small("lenet-bn", 300, 5)),
    ]
}

/// The test error of the trial that validation chooses.
fn error_of_training(search: &Search) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let search = Search { folder: folder.path().join("search"), ..search.clone() };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = RunOptions::new(threads, vec!["compare_samplers".into()]);
    let tried = carry_out(&search, &options, &[], &mut Silent).unwrap();
    let best = winner(&tried).unwrap();
    let run = search.run(best.number, &best.values, search.recipe.seed).unwrap();
    1.0 - read(&run.path).unwrap().summary.unwrap().test_accuracy
}
