//! The numbers of a run's records by tags: `epoch/<name>` for what `metrics.jsonl` calls `<name>`, `final/<name>` for
//! `summary.json`.

use backburn_records::{EpochRecord, Summary};

use crate::logger::EPOCH_MARK;

/// What was minimized on a batch, the mean over its images.
pub(crate) const BATCH_OBJECTIVE: &str = "batch/objective";
/// Learning rate of the step that a batch belongs to.
pub(crate) const BATCH_LEARNING_RATE: &str = "batch/learning_rate";

/// The numbers of an epoch. What was not measured is left out.
pub(crate) fn of_epoch(record: &EpochRecord) -> Vec<(&'static str, f64)> {
    let EpochRecord { train_objective, train_accuracy, valid_loss, valid_accuracy, .. } = *record;
    let rows = [
        (EPOCH_MARK, Some(train_objective)),
        ("epoch/train_accuracy", Some(train_accuracy)),
        ("epoch/valid_loss", valid_loss),
        ("epoch/valid_accuracy", valid_accuracy),
        ("epoch/learning_rate", Some(record.learning_rate)),
        ("epoch/seconds", Some(record.seconds)),
        ("epoch/images_per_second", Some(record.images_per_second)),
    ];
    measured(&rows)
}

/// The final numbers. What was not measured is left out.
pub(crate) fn of_summary(summary: &Summary) -> Vec<(&'static str, f64)> {
    let memorized = summary.memorized;
    let rows = [
        ("final/test_accuracy", Some(summary.test_accuracy)),
        ("final/test_loss", Some(summary.test_loss)),
        ("final/test_ece", Some(summary.test_ece)),
        ("final/valid_accuracy", summary.valid_accuracy),
        ("final/valid_loss", summary.valid_loss),
        ("final/train_accuracy", Some(summary.train_accuracy)),
        ("final/train_loss", Some(summary.train_loss)),
        ("final/generalization_gap", Some(summary.generalization_gap)),
        ("final/best_epoch", Some(summary.best_epoch as f64)),
        ("final/train_seconds", Some(summary.train_seconds)),
        ("final/parameters", Some(summary.parameters as f64)),
        ("final/learnt_by_heart", memorized.map(|memorized| memorized.learnt_by_heart)),
        ("final/clean_accuracy", memorized.map(|memorized| memorized.clean_accuracy)),
    ];
    measured(&rows)
}

fn measured(rows: &[(&'static str, Option<f64>)]) -> Vec<(&'static str, f64)> {
    rows.iter().filter_map(|(tag, value)| Some((*tag, (*value)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use backburn_records::sample;
    use serde_json::{Value, to_value};

    /// Checks that tags are the record's names and values its own.
    fn expect(record: &Value, prefix: &str, rows: &[(&str, f64)]) {
        assert!(rows.len() > 5);
        for (tag, value) in rows {
            let name = tag.strip_prefix(prefix).unwrap();
            let nested = &record["memorized"][name];
            let recorded = if nested.is_null() { &record[name] } else { nested };
            assert_eq!(recorded.as_f64(), Some(*value), "{tag}");
        }
    }

    #[test]
    fn tags_are_the_names_of_the_records_and_none_is_forgotten() {
        let run = sample::run();
        let epoch = run.epochs.last().unwrap();
        let record = to_value(epoch).unwrap();
        expect(&record, "epoch/", &of_epoch(epoch));
        assert_eq!(record.as_object().unwrap().len(), of_epoch(epoch).len() + 1, "but for `epoch`");
        let summary = run.summary.unwrap();
        expect(&to_value(&summary).unwrap(), "final/", &of_summary(&summary));
    }

    #[test]
    fn a_run_without_validation_images_has_no_scores_on_them() {
        let mut epoch = sample::run().epochs.remove(0);
        (epoch.valid_loss, epoch.valid_accuracy) = (None, None);
        assert!(of_epoch(&epoch).iter().all(|(tag, _)| !tag.contains("valid")));
    }
}
