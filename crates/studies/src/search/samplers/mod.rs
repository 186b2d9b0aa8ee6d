//! How the points of a search are chosen.

mod grid;
mod random;
mod sobol;
mod tpe;

pub use grid::size as grid_size;

use crate::search::ask::Sampler;

/// Every sampler, one row each; the first is used if none is named.
pub static CATALOG: &[Sampler] = &[tpe::SAMPLER, random::SAMPLER, sobol::SAMPLER, grid::SAMPLER];

/// The sampler of a name.
///
/// # Errors
///
/// If there is none; the error lists those that there are.
pub fn named(name: &str) -> Result<&'static Sampler, String> {
    CATALOG.iter().find(|row| row.name == name).ok_or_else(|| {
        let known: Vec<&str> = CATALOG.iter().map(|row| row.name).collect();
        format!("unknown sampler `{name}`; known: {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use backburn_training::recipe_change::RecipeChange;
    use backburn_training::seeds::Seeds;

    use super::*;
    use crate::search::ask::{Ask, Told};
    use crate::search::space::{Space, varied};

    fn space(words: &[&str]) -> Space {
        Space::new(words.iter().map(|word| varied(word).unwrap()).collect()).unwrap()
    }

    /// The points of a search whose accuracy is `accuracy` of the places.
    fn points(
        sampler: &Sampler,
        space: &Space,
        seed: u64,
        trials: usize,
        accuracy: fn(&[f64]) -> f64,
    ) -> Vec<RecipeChange> {
        let (mut tried, mut told): (Vec<RecipeChange>, Vec<Told>) = Default::default();
        for number in 1..=trials {
            let seeds = Seeds::new(seed);
            let ask = Ask { space, seeds, round: 1, number, attempt: 0, grid: 3, told: &told };
            let known: Vec<&RecipeChange> = tried.iter().collect();
            let Some(point) = sampler.propose(&ask, &known) else { break };
            assert_eq!(sampler.propose(&ask, &known), Some(point.clone()), "{}", sampler.name);
            let places = space.places(&point).unwrap();
            told.push(Told { accuracy: accuracy(&places), places });
            tried.push(point);
        }
        tried
    }

    fn near_the_top(places: &[f64]) -> f64 {
        1.0 - (places[0] - 0.9).abs()
    }

    #[test]
    fn names_are_unique_and_others_are_refused_with_the_list() {
        for row in CATALOG {
            assert_eq!(named(row.name).unwrap().name, row.name);
        }
        let error = named("bayes").unwrap_err();
        assert!(error.contains("`bayes`") && error.contains("random, sobol"), "{error}");
    }

    #[test]
    fn points_depend_on_the_seed_and_none_is_tried_twice() {
        let space = space(&["learning-rate=log:1e-4:1", "dropout=0:0.8", "optimizer=sgd|adam"]);
        for row in CATALOG {
            let tried = points(row, &space, 1, 18, near_the_top);
            let words: BTreeSet<String> = tried.iter().map(|it| it.words().join(" ")).collect();
            assert_eq!((tried.len(), words.len()), (18, 18), "{}", row.name);
            let other = points(row, &space, 2, 18, near_the_top);
            assert_eq!(other == tried, row.name == "grid", "{}", row.name);
        }
    }

    #[test]
    fn a_space_of_few_points_is_searched_until_none_is_left() {
        let space = space(&["batch-size=int:1:3", "optimizer=sgd|adam|adamw", "model=mlp|cnn"]);
        for row in CATALOG {
            let tried = points(row, &space, 1, 100, near_the_top);
            let words: BTreeSet<String> = tried.iter().map(|it| it.words().join(" ")).collect();
            assert_eq!((tried.len(), words.len()), (18, 18), "{}", row.name);
        }
    }

    #[test]
    fn the_parzen_estimator_goes_where_it_was_good_and_the_others_do_not_care() {
        let space = space(&["learning-rate=log:1e-4:1", "dropout=0:0.8"]);
        for (row, greater) in [("tpe", true), ("random", false), ("sobol", false)] {
            let tried = points(named(row).unwrap(), &space, 3, 60, near_the_top);
            let later = tried[30..].iter().map(|point| space.places(point).unwrap()[0]);
            let mean = later.sum::<f64>() / 30.0;
            assert_eq!(mean > 0.7, greater, "{row}: {mean}");
        }
    }

    #[test]
    fn choices_are_learnt_too() {
        let space = space(&["optimizer=sgd|momentum|adam|adamw", "dropout=0:0.8"]);
        let is_adam = |places: &[f64]| if (0.5..0.75).contains(&places[0]) { 0.9 } else { 0.3 };
        let tried = points(named("tpe").unwrap(), &space, 1, 60, is_adam);
        let adam = |it: &&RecipeChange| it.words().contains(&"adam".to_owned());
        let share = tried[20..].iter().filter(adam).count();
        assert!(share > 20, "{share} of 40");
    }

    #[test]
    fn a_sobol_sequence_fills_every_part_once() {
        let space = space(&["dropout=0:0.8", "learning-rate=log:1e-4:1", "weight-decay=0:1"]);
        let tried = points(named("sobol").unwrap(), &space, 5, 16, near_the_top);
        for setting in 0..3 {
            let part = |it: &RecipeChange| (space.places(it).unwrap()[setting] * 16.0) as usize;
            let parts: BTreeSet<usize> = tried.iter().map(part).collect();
            assert!(parts.len() >= 15, "{parts:?}, where rounding may move one over an edge");
        }
    }

    #[test]
    fn a_grid_has_every_combination_the_last_setting_fastest() {
        let space = space(&["learning-rate=log:0.01:1", "dropout=0:0.8"]);
        let tried = points(named("grid").unwrap(), &space, 1, 100, near_the_top);
        let words: Vec<String> = tried.iter().map(|it| it.words().join(" ")).collect();
        assert_eq!((words.len(), grid_size(&space, 3)), (9, 9));
        assert_eq!(words[0], "--learning-rate 0.01 --dropout 0.0");
        assert_eq!(words[1], "--learning-rate 0.01 --dropout 0.4");
        assert_eq!(words[8], "--learning-rate 1.0 --dropout 0.8");
    }

    #[test]
    fn a_search_of_today_can_be_resumed_tomorrow() {
        // Pinned: other values here mean that a search which was begun before is resumed with other points.
        let space = space(&["learning-rate=log:1e-4:1", "dropout=0:0.8"]);
        let last = |row: &str| {
            let tried = points(named(row).unwrap(), &space, 1, 12, near_the_top);
            tried.last().unwrap().words().join(" ")
        };
        assert_eq!(last("random"), "--learning-rate 0.000592 --dropout 0.2702");
        assert_eq!(
            [last("sobol"), last("tpe")],
            ["--learning-rate 0.01036 --dropout 0.1633", "--learning-rate 0.818 --dropout 0.0352"]
        );
    }
}
