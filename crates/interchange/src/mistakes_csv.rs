//! The worst mistakes of a run as a table.

use backburn_records::EvaluationRecord;

/// A row for each mistake that the run's evaluation keeps, the highest loss first: `index` in the test split, `label`
/// and `predicted` by their names, `probability` that was given to the answer, `loss` in nats, `path` of the
/// picture's file, empty where images have none.
pub(crate) fn to_bytes(evaluation: &EvaluationRecord) -> Vec<u8> {
    let name = |class: usize| evaluation.class_names.get(class).map_or("", String::as_str);
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Memory takes everything.
    let _ = writer.write_record(["index", "label", "predicted", "probability", "loss", "path"]);
    for mistake in &evaluation.mistakes {
        let _ = writer.write_record([
            &mistake.index.to_string(),
            name(mistake.label),
            name(mistake.prediction),
            &mistake.confidence.to_string(),
            &mistake.loss.to_string(),
            mistake.path.as_deref().unwrap_or_default(),
        ]);
    }
    writer.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use backburn_records::{Confusion, Mistake};

    #[test]
    fn a_mistake_is_a_row_with_names_and_exact_numbers() {
        let mistake = Mistake {
            index: 41,
            label: 1,
            prediction: 0,
            confidence: 0.9375,
            loss: 2.772_588_722_239_781,
            shape: [1, 1, 1],
            pixels: vec![7],
            explanation: None,
            path: Some("dogs/a, b.png".into()),
        };
        let evaluation = EvaluationRecord {
            class_names: vec!["cat, black".into(), "dog".into()],
            confusion: Confusion::Matrix(vec![vec![1, 0], vec![1, 0]]),
            reliability: Vec::new(),
            mistakes: vec![mistake],
            nll: None,
            brier: None,
            ece: None,
            balanced_accuracy: None,
            mce: None,
            top_k: None,
            per_class: Vec::new(),
            temperature: None,
            tta: None,
        };
        let table = String::from_utf8(to_bytes(&evaluation)).unwrap();
        let expected = "index,label,predicted,probability,loss,path\n\
                        41,dog,\"cat, black\",0.9375,2.772588722239781,\"dogs/a, b.png\"\n";
        assert_eq!(table, expected);
    }
}
