//! 003 §6.5: random search against grids with as many trials, on the same validation split.
//!
//! Bergstra and Bengio, [Random search for hyper-parameter optimization](
//! https://jmlr.org/papers/v13/bergstra12a.html), 2012.

use backburn_records::statistics::{Better, Judged};
use backburn_records::{DataTable, ExperimentTable, Unit, number};
use backburn_report::ExperimentFigure;
use backburn_report::figure::{Axis, DotPlot, Dots, Panel};
use backburn_training::failure::Failure;
use backburn_training::seeds::Seeds;

use super::lab::Lab;
use super::random_search::{
    LEARNING_RATES, Point, Search, TRIALS, WEIGHT_DECAYS, search, split, try_all,
};
use super::text::Text;

const TEXT: Text = Text(include_str!("random_against_grid.md"));

/// Repetitions, or as many as there are seeds if those are more.
const REPETITIONS: usize = 10;

/// How a grid lies in its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grid {
    /// A grid with points at both ends.
    Ends,
    /// A grid with points in the middles of equal parts.
    Middles,
}

impl Grid {
    /// Points of the grid, as many as a round has trials, evenly over both ranges.
    fn points(self) -> Vec<Point> {
        let side = TRIALS.isqrt();
        let place = |step: usize| match self {
            Self::Ends => step as f64 / (side - 1) as f64,
            Self::Middles => (step as f64 + 0.5) / side as f64,
        };
        let point = |number: usize| Point {
            learning_rate: LEARNING_RATES.at(place(number / side)),
            weight_decay: WEIGHT_DECAYS.at(place(number % side)),
        };
        (0..side * side).map(point).collect()
    }
}

/// The best validation accuracies that searches with equal budgets found, a value a repetition.
#[derive(Default)]
pub(super) struct Contest {
    random: Vec<f64>,
    ends: Vec<f64>,
    middles: Vec<f64>,
}

impl Contest {
    /// Random search against grids: on the same split, with the same initial weights and batches for the
    /// trials with the same number. `searches`: those of the first seeds.
    pub(super) fn hold(lab: &Lab, searches: &[Search]) -> Result<Self, Failure> {
        let mut contest = Self::default();
        for repetition in 0..repetitions(lab) {
            let seed = seed_of(lab, repetition);
            let random = match searches.get(repetition) {
                Some(search) => search[0][0].accuracy,
                None => search(lab, seed, 1)?[0][0].accuracy,
            };
            contest.random.push(random);
            let seeds = Seeds::new(seed);
            let split = split(lab, seeds);
            for (grid, best) in
                [(Grid::Ends, &mut contest.ends), (Grid::Middles, &mut contest.middles)]
            {
                let trials = try_all(lab, &split, &grid.points(), |number| seeds.trial(1, number))?;
                best.push(trials[0].accuracy);
            }
            lab.say(&format!("seed {seed}: two grids of {TRIALS} trials"));
        }
        Ok(contest)
    }

    /// Every kind of search.
    fn rows(&self) -> [(&'static str, &[f64]); 3] {
        [
            ("random", &self.random),
            ("grid with the ends", &self.ends),
            ("grid of middles", &self.middles),
        ]
    }

    pub(super) fn sentence(&self) -> String {
        let ends = against(&self.random, &self.ends, "that of a grid with the ends of the ranges");
        let middles = against(&self.random, &self.middles, "that of a grid without them");
        let values = [
            ("repetitions", self.random.len().to_string()),
            ("trials", TRIALS.to_string()),
            ("ends", ends),
            ("middles", middles),
        ];
        TEXT.paragraph("sentence", &values)
    }

    pub(super) fn table(&self) -> ExperimentTable {
        let rows = self.rows().into_iter().enumerate().map(|(place, (name, values))| {
            let cells = match place {
                0 => [number::ABSENT.into(), number::ABSENT.into()],
                _ => {
                    let judged = judged(&self.random, values);
                    [number::bare_points(judged.difference), interval_of(&judged)]
                }
            };
            [name.to_owned(), Unit::Percent.spread(values)].into_iter().chain(cells).collect()
        });
        let values =
            [("trials", TRIALS.to_string()), ("repetitions", self.random.len().to_string())];
        ExperimentTable {
            title: "Random search against a grid".into(),
            note: TEXT.paragraph("table", &values),
            head: ["search", "best (%)", "random is better by (points)", "interval"]
                .map(String::from)
                .into(),
            rows: rows.collect(),
        }
    }

    pub(super) fn figure(&self) -> ExperimentFigure {
        let dots = |(_, values): (&str, &[f64])| Dots {
            values: values.iter().map(|accuracy| 100.0 * accuracy).collect(),
            group: 0,
        };
        let plot = DotPlot {
            title: format!("Random search against grids of {TRIALS} trials"),
            groups: vec!["best trial of a search".into()],
            rows: self.rows().map(|(name, _)| name.to_owned()).into(),
            panels: vec![Panel {
                axis: Axis::linear("validation accuracy (%)").within(0.0, 100.0),
                dots: self.rows().map(dots).into(),
            }],
        };
        ExperimentFigure {
            name: "random_against_grid".into(),
            caption: TEXT.paragraph("figure", &[]),
            drawing: plot.draw(),
        }
    }

    pub(super) fn data(&self, lab: &Lab) -> DataTable {
        let row = |repetition: usize| {
            let best = [&self.random, &self.ends, &self.middles].map(|best| best[repetition]);
            let seed = seed_of(lab, repetition).to_string();
            [seed].into_iter().chain(best.map(|best| best.to_string())).collect()
        };
        let columns = ["seed", "random", "grid_with_the_ends", "grid_of_middles"];
        DataTable {
            name: "random_against_grid".into(),
            columns: columns.map(String::from).into(),
            rows: (0..self.random.len()).map(row).collect(),
        }
    }
}

/// What is compared, for the set-up.
pub(super) fn setup(lab: &Lab) -> String {
    let values = [("repetitions", repetitions(lab).to_string()), ("seed", lab.seed().to_string())];
    TEXT.paragraph("set-up", &values)
}

pub(super) fn repetitions(lab: &Lab) -> usize {
    REPETITIONS.max(lab.seeds.len())
}

/// Seed of a repetition.
fn seed_of(lab: &Lab, repetition: usize) -> u64 {
    lab.seed().wrapping_add(repetition as u64)
}

/// Lead of random search's best over another's.
fn judged(random: &[f64], other: &[f64]) -> Judged {
    let differences = random.iter().zip(other).map(|(random, other)| random - other);
    Judged::by_seeds(&differences.collect::<Vec<_>>(), Better::Higher)
}

/// `−0.20 to 4.40`, in points.
fn interval_of(judged: &Judged) -> String {
    judged.interval.map_or(number::ABSENT.into(), |(low, high)| {
        format!("{} to {}", number::bare_points(low), number::bare_points(high))
    })
}

/// Random search's best against another's, in words.
fn against(random: &[f64], other: &[f64], name: &str) -> String {
    let judged = judged(random, other);
    let verdict = judged.word(["better than", "worse than", "not to be told from"]);
    let (mean, interval) = (number::points(judged.difference), interval_of(&judged));
    format!("{verdict} {name} ({mean}, 95 % interval {interval})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_cover_both_ranges_with_as_many_points_as_there_are_trials() {
        for (grid, low, high) in
            [(Grid::Ends, 1e-6, 1e-2), (Grid::Middles, 10_f64.powf(-5.8), 10_f64.powf(-2.2))]
        {
            let points = grid.points();
            assert_eq!(points.len(), TRIALS);
            let rates = points.iter().map(|point| point.learning_rate);
            let (least, most) = (rates.clone().fold(1.0, f64::min), rates.fold(0.0, f64::max));
            assert!((least / low - 1.0).abs() < 1e-9 && (most / high - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn an_interval_decides_between_random_search_and_a_grid() {
        let random = [0.81, 0.82, 0.84, 0.85];
        assert!(against(&random, &[0.7; 4], "x").starts_with("better than x"));
        assert!(against(&random, &[0.9; 4], "x").starts_with("worse than x"));
        assert!(against(&random, &[0.83; 4], "x").starts_with("not to be told"));
        // Mean −7 points with 1.83 of standard deviation, of which 3.182/√4 are 2.91.
        let told = against(&random, &[0.9; 4], "x");
        assert!(told.contains("(−7.00 points, 95 % interval −9.91 to −4.09)"), "{told}");
    }

    #[test]
    fn equal_searches_have_a_row_of_zeros_and_random_search_none_against_itself() {
        let best = vec![0.8, 0.9];
        let contest = Contest { random: best.clone(), ends: best, middles: vec![0.7, 0.6] };
        let rows = contest.table().rows;
        assert_eq!(rows[0][2..], [number::ABSENT, number::ABSENT]);
        assert_eq!(rows[1][2], "0.00");
        assert_eq!(rows[2][2], "+20.00");
    }
}
