//! What the runs of a cross-validation came to together: `folds.json`.

use serde::Serialize;

use crate::origin::Origin;
use crate::run_record::RunRecord;
use crate::statistics::Spread;
use crate::summary::Summary;

/// The folds' scores, and their mean and spread.
#[derive(Clone, Debug, Serialize)]
pub struct CrossValidation {
    /// Each fold's scores, in order.
    pub folds: Vec<FoldScores>,
    /// Accuracy on training images.
    pub train_accuracy: Spread,
    /// Accuracy on the images that a fold's training did not see.
    pub valid_accuracy: Spread,
    /// Mean cross-entropy on them, in nats.
    pub valid_loss: Spread,
    /// Accuracy on the one test split, of all folds' networks.
    pub test_accuracy: Spread,
    /// The views of each image that fold and test are scored by; `None` for one look at each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tta: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Scores of the run that validated on one fold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoldScores {
    /// Number of the fold, counted from 1.
    pub fold: usize,
    /// Epoch whose weights were selected.
    pub best_epoch: usize,
    /// Accuracy on training images, in `[0, 1]`.
    pub train_accuracy: f64,
    /// Accuracy on the fold, in `[0, 1]`.
    pub valid_accuracy: f64,
    /// Mean cross-entropy on the fold, in nats.
    pub valid_loss: f64,
    /// Accuracy on the test split, in `[0, 1]`.
    pub test_accuracy: f64,
}

/// What the spread of folds says, and what it does not.
pub const CAUTION: &str = "The spread is over folds. It is not that of the mean: any two folds \
    train on mostly the same images, so that no estimate of the mean's own error from them is free \
    of bias (Bengio and Grandvalet, 2004). The weights of each run were selected on its fold, so \
    that the fold's own score is a little too good.";

impl CrossValidation {
    /// Of the runs of all folds, in order. A run without scores has none.
    pub fn of(runs: &[RunRecord], folder: String) -> Self {
        let fold = |(fold, run): (usize, &RunRecord)| {
            let Summary { best_epoch, train_accuracy, test_accuracy, .. } =
                *run.summary.as_ref()?;
            let summary = run.summary.as_ref()?;
            Some(FoldScores {
                fold,
                best_epoch,
                train_accuracy,
                valid_accuracy: summary.valid_accuracy.unwrap_or(f64::NAN),
                valid_loss: summary.valid_loss.unwrap_or(f64::NAN),
                test_accuracy,
            })
        };
        let folds: Vec<FoldScores> = (1..).zip(runs).filter_map(fold).collect();
        let spread = |score: fn(&FoldScores) -> f64| {
            Spread::of(&folds.iter().map(score).collect::<Vec<_>>())
        };
        Self {
            train_accuracy: spread(|fold| fold.train_accuracy),
            valid_accuracy: spread(|fold| fold.valid_accuracy),
            valid_loss: spread(|fold| fold.valid_loss),
            test_accuracy: spread(|fold| fold.test_accuracy),
            tta: runs.iter().find_map(|run| run.summary.as_ref()?.tta.clone()),
            origin: Origin::of_runs(runs, folder),
            folds,
        }
    }

    /// Mean and spread as a sentence.
    pub fn sentence(&self) -> String {
        let percent = |spread: Spread| {
            format!("{:.2} ± {:.2} %", 100.0 * spread.mean, 100.0 * spread.standard_deviation)
        };
        let views = self.tta.as_ref();
        let views =
            views.map_or(String::new(), |views| format!(", both by views of images, {views}"));
        format!(
            "validation accuracy {} over {} folds (mean and standard deviation), test accuracy \
             {}{views}",
            percent(self.valid_accuracy),
            self.folds.len(),
            percent(self.test_accuracy)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn mean_and_spread_are_those_of_the_folds() {
        let run = |valid| {
            let mut run = sample::run();
            let summary = run.summary.as_mut().unwrap();
            (summary.valid_accuracy, summary.test_accuracy) = (Some(valid), 0.5);
            run
        };
        let all = CrossValidation::of(&[run(0.8), run(0.9), run(0.7)], "runs/x".into());
        assert!((all.valid_accuracy.mean - 0.8).abs() < 1e-12);
        assert!((all.valid_accuracy.standard_deviation - 0.1).abs() < 1e-12);
        let expected = "validation accuracy 80.00 ± 10.00 % over 3 folds (mean and standard \
            deviation), test accuracy 50.00 ± 0.00 %";
        assert_eq!(all.sentence(), expected);
        assert_eq!(all.folds[2].fold, 3);
        assert!(serde_json::to_value(&all).unwrap().get("tta").is_none());
        let mut viewed = run(0.8);
        viewed.summary.as_mut().unwrap().tta = Some("flip".into());
        let all = CrossValidation::of(&[viewed], "runs/x".into());
        assert!(all.sentence().ends_with(", both by views of images, flip"), "{}", all.sentence());
        assert_eq!(serde_json::to_value(&all).unwrap()["tta"], "flip");
    }
}
