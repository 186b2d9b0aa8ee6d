//! The scores of a run on a split, as a person and as a program reads them.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_records::number::{count, loss, percent};
use backburn_records::text_table::table;
use backburn_records::{Memorized, Status};
use serde_json::{Map, Value, json};

use crate::evaluate::Predictions;
use crate::final_score;

/// A class's name is cut to this many characters, so that a row fits a terminal.
const LONGEST_NAME: usize = 40;

/// A longer name of a row is cut to its first word, for the same reason.
const LONGEST_ROW_NAME: usize = 24;

/// Another way to ask the network, with what came of it: a row of the table.
pub struct Variant {
    /// What it is called.
    pub name: String,
    /// What was predicted.
    pub predictions: Predictions,
    /// What else there is to say of it: an object, or nothing.
    pub details: Value,
}

/// The scores of a run's weights on one of its splits.
pub struct ScoreTable {
    /// The split: `valid` or `test`.
    pub split: &'static str,
    /// What the network predicts when it is asked once.
    pub plain: Predictions,
    /// The other ways in which it was asked.
    pub variants: Vec<Variant>,
    /// Name of the variant that the run's own scores are of; `None` if they are of what it predicts when asked once.
    pub scored_by: Option<String>,
    /// An answer counts as right in top-k accuracy if the label is among so many classes.
    pub k: usize,
    /// Name of each class, in label order.
    pub class_names: Vec<String>,
    /// What has become of wrong labels, if there are any.
    pub memorized: Option<Memorized>,
    /// How often the test split has been accessed.
    pub test_looks: usize,
    /// How far the run has come.
    pub status: Status,
    /// Which weights were scored.
    pub weights: String,
    /// That they are not those that the run ended with.
    pub remark: Option<String>,
}

impl ScoreTable {
    /// The answers that the run's own scores are of.
    fn scored(&self) -> &Predictions {
        let name = self.scored_by.as_ref();
        let named = self.variants.iter().find(|variant| Some(&variant.name) == name);
        named.map_or(&self.plain, |variant| &variant.predictions)
    }

    /// Everything there is to say, as one object.
    pub fn as_json(&self) -> Value {
        let scored = self.scored();
        let mut object = json!({
            "split": self.split,
            "images": scored.images(),
            "class_names": self.class_names,
            "per_class": scored.per_class(),
            "confusion": scored.confusion(),
            "reliability": final_score::reliability(scored),
        });
        let variant = |variant: &Variant| {
            let mut row = json!({ "name": variant.name });
            extend(&mut row, scores_as_json(&variant.predictions, self.k));
            extend(&mut row, variant.details.clone());
            row
        };
        extend(&mut object, scores_as_json(scored, self.k));
        if let Some(name) = &self.scored_by {
            let plain = scores_as_json(&self.plain, self.k);
            extend(&mut object, json!({ "scored_by": name, "plain": plain }));
        }
        let variants: Vec<Value> = self.variants.iter().map(variant).collect();
        extend(
            &mut object,
            json!({
                "variants": variants,
                "test_looks": self.test_looks,
                "status": self.status.name(),
                "weights": self.weights,
            }),
        );
        if let Some(memorized) = &self.memorized {
            extend(&mut object, json!({ "memorized": memorized }));
        }
        object
    }

    /// The same for a terminal: a table of the variants, and one of the classes by the answers that are scored.
    pub fn as_text(&self) -> String {
        let remark = self.remark.iter().map(|remark| format!("{remark}\n"));
        let scores = format!("{}\n{}", self.variants_as_text(), self.classes_as_text());
        let memorized = self.memorized.iter().map(|it| format!("\n{}", by_heart(it)));
        let times = match self.test_looks {
            1 => "once".to_owned(),
            looks => format!("{looks} times"),
        };
        let looks = format!("\nthe test split has been accessed {times}");
        let parts = remark.chain([scores.trim_end().to_owned()]).chain(memorized).chain([looks]);
        parts.collect::<Vec<_>>().join("\n")
    }

    fn variants_as_text(&self) -> String {
        let split = if self.split == "test" { "test" } else { "validation" };
        let images = count(self.plain.images() as u64);
        let mut text = format!("scores on {images} images of the {split} split\n");
        if let Some(name) = &self.scored_by {
            text += &format!("the run's own, and those of the classes below, are of\n{name}\n");
        }
        text += "\n";
        let top = format!("top-{}", self.k);
        let head = ["", "accuracy", &top, "NLL", "Brier", "ECE"].map(String::from);
        let row = |(name, predictions): (&str, &Predictions)| {
            let scores = predictions.scores();
            [
                name.to_owned(),
                percent(scores.accuracy),
                percent(predictions.top_k_accuracy(self.k)),
                loss(scores.loss),
                loss(predictions.brier_score()),
                percent(predictions.calibration_error()),
            ]
        };
        let variants = self.variants.iter().map(|it| (row_name(&it.name), &it.predictions));
        let rows = [("plain", &self.plain)].into_iter().chain(variants).map(row);
        let rows: Vec<_> = [head].into_iter().chain(rows).collect();
        // That the label is among all classes says nothing.
        text += &match self.k < self.class_names.len() {
            true => table(&rows),
            false => {
                let without = rows
                    .into_iter()
                    .map(|[name, accuracy, _, nll, brier, ece]| [name, accuracy, nll, brier, ece]);
                table(&without.collect::<Vec<_>>())
            }
        };
        for variant in &self.variants {
            let detail = |name: &str| variant.details.get(name)?.as_f64();
            if let (Some(views), Some(evaluations)) = (detail("views"), detail("evaluations")) {
                text += &format!(
                    "\n{}:\n{} views of an image, {} evaluations of the network in all\n",
                    variant.name,
                    count(views as u64),
                    count(evaluations as u64)
                );
            }
            if let (Some(entropy), Some(information)) =
                (detail("predictive_entropy"), detail("mutual_information"))
            {
                text += &format!(
                    "\n{}: mean predictive entropy {} nats,\nmean mutual information {} nats\n",
                    variant.name,
                    loss(entropy),
                    loss(information)
                );
            }
        }
        text
    }

    fn classes_as_text(&self) -> String {
        let head = ["class", "images", "accuracy", "precision", "F1"].map(String::from);
        let names = self.class_names.iter().map(|name| name.chars().take(LONGEST_NAME));
        let rows = names.zip(self.scored().per_class()).map(|(name, class)| {
            [
                name.collect(),
                count(class.images),
                percent(class.accuracy),
                percent(class.precision),
                percent(class.f1),
            ]
        });
        let rows = table(&[head].into_iter().chain(rows).collect::<Vec<_>>());
        match (&self.scored_by, self.variants.as_slice()) {
            (None, [_, ..]) => format!("by class, plain:\n\n{rows}"),
            _ => rows,
        }
    }
}

/// What a row of the table is called: of a long name the first word, as the whole one stands below the table.
fn row_name(name: &str) -> &str {
    match name.split_once(' ') {
        Some((word, _)) if name.chars().count() > LONGEST_ROW_NAME => word,
        _ => name,
    }
}

fn scores_as_json(predictions: &Predictions, k: usize) -> Value {
    let scores = predictions.scores();
    json!({
        "loss": scores.loss,
        "accuracy": scores.accuracy,
        "top_k": { "k": k, "accuracy": predictions.top_k_accuracy(k) },
        "brier": predictions.brier_score(),
        "ece": predictions.calibration_error(),
        "mce": predictions.maximum_calibration_error(),
        "balanced_accuracy": predictions.balanced_accuracy(),
    })
}

/// Adds the entries of one object to another.
fn extend(object: &mut Value, entries: Value) {
    if let (Value::Object(object), Value::Object(entries)) = (object, entries) {
        object.extend::<Map<String, Value>>(entries);
    }
}

/// What has become of the wrong labels.
fn by_heart(memorized: &Memorized) -> String {
    let Memorized { wrong_labels, learnt_by_heart, clean_accuracy } = *memorized;
    format!(
        "{} of the {} wrong training labels are learnt by heart; accuracy on the other training \
         images {}",
        percent(learnt_by_heart),
        count(wrong_labels as u64),
        percent(clean_accuracy)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores() -> ScoreTable {
        // Three images of three classes, of which the last is taken for the first.
        let logits = [2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 2.0, 0.0, 1.0];
        let plain = Predictions::new(&logits, vec![0, 1, 2], 3);
        let details = json!({ "passes": 3, "predictive_entropy": 0.5, "mutual_information": 0.25 });
        let dropout = Variant { name: "mc-dropout 3".into(), predictions: plain.clone(), details };
        ScoreTable {
            split: "valid",
            plain,
            variants: vec![dropout],
            scored_by: None,
            k: 2,
            class_names: ["cat", "dog", "owl"].map(String::from).into(),
            memorized: None,
            test_looks: 1,
            status: Status::Interrupted,
            weights: "epoch 2, so far".into(),
            remark: Some("unfinished: x is interrupted".into()),
        }
    }

    #[test]
    fn text_has_a_row_a_variant_and_a_row_a_class() {
        let text = scores().as_text();
        for part in [
            "unfinished: x is interrupted\n\nscores on 3 images of the validation split\n",
            "top-2",
            "\nplain ",
            "\nmc-dropout 3: mean predictive entropy 0.5000 nats,\n",
            "\nby class, plain:\n\n",
            "\nowl ",
            "\n\nthe test split has been accessed once",
        ] {
            assert!(text.contains(part), "no `{part}` in {text}");
        }
        let all = ScoreTable { k: 3, ..scores() }.as_text();
        assert!(all.contains("accuracy") && !all.contains("top-"), "{all}");
        let looks = ScoreTable { test_looks: 2, remark: None, ..scores() }.as_text();
        assert!(looks.starts_with("scores on ") && looks.ends_with("accessed 2 times"), "{looks}");
        let memorized =
            Memorized { wrong_labels: 1200, learnt_by_heart: 0.25, clean_accuracy: 0.5 };
        let text = ScoreTable { memorized: Some(memorized), ..scores() }.as_text();
        assert!(text.contains("\n\n25.00 % of the 1,200 wrong training labels"), "{text}");
    }

    #[test]
    fn views_are_told_with_how_often_the_network_was_asked_and_keep_lines_short() {
        let views = "tta flip,diagonal=1,border=reflect,least-confident=0.25,mean=logits";
        let plain = scores().plain;
        let details = json!({ "views": 6, "evaluations": 22_500 });
        let viewed = Variant { name: views.into(), predictions: plain, details };
        let text = ScoreTable { variants: vec![viewed], ..scores() }.as_text();
        let told =
            format!("\n{views}:\n6 views of an image, 22,500 evaluations of the network in all\n");
        assert!(text.contains(&told) && text.contains("\ntta  "), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn a_run_that_is_scored_by_views_is_so_again_and_says_it() {
        // With its views the network takes the owl for an owl.
        let logits = [2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 1.0];
        let predictions = Predictions::new(&logits, vec![0, 1, 2], 3);
        let details = json!({ "views": 2, "evaluations": 6 });
        let viewed = Variant { name: "tta flip".into(), predictions, details };
        let table = ScoreTable { variants: vec![viewed], ..scores() };
        assert_eq!(table.as_json()["accuracy"], 2.0 / 3.0);
        let table = ScoreTable { scored_by: Some("tta flip".into()), ..table };
        let json = table.as_json();
        assert_eq!(
            (&json["accuracy"], &json["plain"]["accuracy"]),
            (&json!(1.0), &json!(2.0 / 3.0))
        );
        assert_eq!(
            (&json["scored_by"], &json["variants"][0]["accuracy"]),
            (&json!("tta flip"), &json!(1.0))
        );
        assert_eq!(json["per_class"][2]["accuracy"], 1.0);
        let text = table.as_text();
        assert!(
            text.contains(
                "split\nthe run's own, and those of the classes below, are of\ntta flip\n\n"
            ),
            "{text}"
        );
        let owl = text.lines().find(|line| line.starts_with("owl")).unwrap();
        assert!(owl.contains("100.00 %"), "{text}");
    }

    #[test]
    fn json_has_the_scores_beside_those_of_each_variant() {
        let json = scores().as_json();
        assert_eq!((&json["split"], &json["images"]), (&json!("valid"), &json!(3)));
        assert_eq!(json["top_k"], json!({ "k": 2, "accuracy": 1.0 }));
        assert_eq!(json["variants"][0]["mutual_information"], 0.25);
        assert_eq!(json["variants"][0]["accuracy"], json["accuracy"]);
        assert_eq!((&json["status"], &json["test_looks"]), (&json!("interrupted"), &json!(1)));
        assert!(json.get("memorized").is_none());
    }
}
