//! What a sampler is asked, and how it answers.

use backburn_training::recipe_change::RecipeChange;
use backburn_training::seeds::Seeds;

use crate::search::space::Space;

/// Attempts at a point that was not tried yet. A space with so few points left is taken for exhausted.
const MOST_ATTEMPTS: usize = 1000;

/// What a sampler is asked for: the places of a trial, one for each setting of the space.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The space of the trial's round.
    pub space: &'a Space,
    /// The streams of the search.
    pub seeds: Seeds,
    /// The round, counted from 1.
    pub round: usize,
    /// Number of the trial in its round, counted from 1.
    pub number: usize,
    /// How many points were proposed for it that had been tried before.
    pub attempt: usize,
    /// Points of a range of numbers in a grid, at least 2.
    pub grid: usize,
    /// What the trials before it came to, in their order.
    pub told: &'a [Told],
}

/// A point that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Its places, each in `[0, 1]`.
    pub places: Vec<f64>,
    /// Its validation accuracy, in `[0, 1]`; 0 if there is none because it diverged.
    pub accuracy: f64,
}

/// A way to choose the points.
#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    /// Name, on the command line and in `search.toml`.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// The places that it proposes; `None` if there is no further point.
    pub places: fn(&Ask<'_>) -> Option<Vec<f64>>,
}

impl Sampler {
    /// The point that a trial tries: the first that it proposes and that is not in `tried`; `None` if there is none
    /// left. The same question has the same answer, in any process.
    pub fn propose(&self, ask: &Ask<'_>, tried: &[&RecipeChange]) -> Option<RecipeChange> {
        for attempt in 0..MOST_ATTEMPTS {
            let places = (self.places)(&Ask { attempt, ..*ask })?;
            let point = ask.space.change(&places);
            if !tried.contains(&&point) {
                return Some(point);
            }
        }
        None
    }
}
