//! What a network answers to pictures, a line for each: for people, as JSON, or as comma-separated values.

use backburn_records::number::percent;
use serde_json::json;

/// A class's name is cut to this many characters in the table.
const LONGEST_NAME: usize = 40;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFormat {
    /// Columns for people.
    Table,
    /// A line of JSON each.
    Json,
    /// Comma-separated values.
    Csv,
}

/// Writes a line for each picture.
#[derive(Clone, Copy, Debug)]
pub struct PredictionRows<'a> {
    /// Name of each class, in label order.
    pub class_names: &'a [String],
    /// Classes that are named of each picture, at most.
    pub top_k: usize,
    /// How lines are written.
    pub format: RowFormat,
    /// Whether pictures have panels that explain the answers.
    pub explained: bool,
}

impl PredictionRows<'_> {
    /// The line above all others, if there is one.
    pub fn head(&self) -> Option<String> {
        if self.format != RowFormat::Csv {
            return None;
        }
        let ranks = (1..=self.top_k)
            .flat_map(|rank| [format!("class_{rank}"), format!("probability_{rank}")]);
        let panel = self.explained.then(|| "explanation".to_owned());
        let head = ["path".to_owned()].into_iter().chain(ranks).chain(panel);
        Some(csv_line(head.chain(["error".to_owned()])))
    }

    /// The line of a picture. `row`: class and probability, most probable first, or why it could not be read; `panel`:
    /// the file of its panel, if there is one.
    pub fn row(
        &self,
        path: &str,
        row: Result<&[(usize, f64)], &str>,
        panel: Option<&str>,
    ) -> String {
        match self.format {
            RowFormat::Json => self.json(path, row, panel),
            RowFormat::Csv => self.csv(path, row, panel),
            RowFormat::Table => self.table(path, row, panel),
        }
    }

    fn name(&self, class: usize) -> &str {
        self.class_names.get(class).map_or("?", String::as_str)
    }

    fn json(&self, path: &str, row: Result<&[(usize, f64)], &str>, panel: Option<&str>) -> String {
        let classes = match row {
            Ok(classes) => classes,
            Err(reason) => return json!({ "path": path, "error": reason }).to_string(),
        };
        let class = |&(class, probability): &(usize, f64)| json!({ "class": self.name(class), "index": class, "probability": probability });
        let classes: Vec<_> = classes.iter().map(class).collect();
        match panel {
            None => json!({ "path": path, "predictions": classes }).to_string(),
            Some(panel) => {
                json!({ "path": path, "predictions": classes, "explanation": panel }).to_string()
            }
        }
    }

    fn csv(&self, path: &str, row: Result<&[(usize, f64)], &str>, panel: Option<&str>) -> String {
        let (classes, error) = match row {
            Ok(classes) => (classes, ""),
            Err(reason) => (&[][..], reason),
        };
        let ranks = (0..self.top_k).flat_map(|rank| match classes.get(rank) {
            Some(&(class, probability)) => {
                [self.name(class).to_owned(), format!("{probability:.6}")]
            }
            None => [String::new(), String::new()],
        });
        let panel = self.explained.then(|| panel.unwrap_or_default().to_owned());
        let fields = [path.to_owned()].into_iter().chain(ranks).chain(panel);
        csv_line(fields.chain([error.to_owned()]))
    }

    /// The classes in columns, and the path behind them, which may be of any length.
    fn table(&self, path: &str, row: Result<&[(usize, f64)], &str>, panel: Option<&str>) -> String {
        let longest = self.class_names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let width = longest.min(LONGEST_NAME);
        match row {
            Ok(classes) => {
                let cell = |&(class, probability): &(usize, f64)| {
                    let name: String = self.name(class).chars().take(width).collect();
                    format!("{:>8} {name:<width$}  ", percent(probability))
                };
                let panel = panel.map_or(String::new(), |panel| format!(" → {panel}"));
                classes.iter().map(cell).collect::<String>() + path + &panel
            }
            Err(reason) => format!("error: {path}: {reason}"),
        }
    }
}

/// A line of comma-separated values, without its end.
fn csv_line(fields: impl Iterator<Item = String>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Memory takes everything.
    let _ = writer.write_record(fields.collect::<Vec<String>>());
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: [(usize, f64); 2] = [(1, 0.75), (0, 0.25)];

    fn lines(format: RowFormat, explained: bool) -> Vec<String> {
        let class_names = &["cat".to_owned(), "a \"dog\"".to_owned()];
        let rows = PredictionRows { class_names, top_k: 2, format, explained };
        let panel = explained.then_some("maps/x.png");
        let good = rows.row("x, y.png", Ok(&ANSWER), panel);
        rows.head().into_iter().chain([good, rows.row("z.png", Err("is cut"), None)]).collect()
    }

    #[test]
    fn a_picture_is_a_line_in_every_format_with_its_panel_if_it_has_one() {
        let head = "path,class_1,probability_1,class_2,probability_2";
        assert_eq!(
            lines(RowFormat::Csv, true),
            [
                format!("{head},explanation,error"),
                "\"x, y.png\",\"a \"\"dog\"\"\",0.750000,cat,0.250000,maps/x.png,".to_owned(),
                "z.png,,,,,,is cut".to_owned(),
            ]
        );
        assert_eq!(lines(RowFormat::Csv, false)[0], format!("{head},error"));
        assert_eq!(lines(RowFormat::Csv, false)[2], "z.png,,,,,is cut");
        assert_eq!(
            lines(RowFormat::Table, true),
            [" 75.00 % a \"dog\"   25.00 % cat      x, y.png → maps/x.png", "error: z.png: is cut"]
        );
        let [good, bad] = lines(RowFormat::Json, true).try_into().unwrap();
        let good: serde_json::Value = serde_json::from_str(&good).unwrap();
        assert_eq!(good["predictions"][0]["class"], "a \"dog\"");
        assert_eq!(good["explanation"], "maps/x.png");
        assert_eq!(bad, r#"{"error":"is cut","path":"z.png"}"#);
        assert!(!lines(RowFormat::Json, false)[0].contains("explanation"));
    }
}
