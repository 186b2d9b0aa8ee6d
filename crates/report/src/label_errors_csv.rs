//! The ranking of likely label errors as CSV, for programs: a row each image, the likeliest error first.

use backburn_records::experiment::DataTable;
use backburn_records::label_errors::{LabelErrorsRecord, Suspect};

/// The table. `known_wrong` is there with label noise only: whether the label was made wrong on purpose.
pub fn label_errors_csv(record: &LabelErrorsRecord) -> String {
    let mut columns: Vec<String> = [
        "index",
        "path",
        "label",
        "predicted",
        "self_confidence",
        "predicted_probability",
        "network",
    ]
    .map(String::from)
    .into();
    if record.noise.is_some() {
        columns.push("known_wrong".into());
    }
    let name = |class: usize| match record.class_names.get(class) {
        Some(name) => name.clone(),
        None => class.to_string(),
    };
    let row = |suspect: &Suspect| {
        let mut row = vec![
            suspect.index.to_string(),
            suspect.file.clone().unwrap_or_default(),
            name(suspect.label),
            name(suspect.predicted),
            suspect.self_confidence.to_string(),
            suspect.probability.to_string(),
            suspect.network.to_string(),
        ];
        if record.noise.is_some() {
            row.push(suspect.is_wrong.map(|it| it.to_string()).unwrap_or_default());
        }
        row
    };
    let rows = record.ranked.iter().map(row).collect();
    DataTable { name: "label-errors".into(), columns, rows }.to_csv()
}

#[cfg(test)]
mod tests {
    use backburn_records::sample;

    use super::*;

    #[test]
    fn there_is_a_row_for_each_image_in_the_order_of_the_ranking() {
        let mut record = sample::label_errors();
        record.ranked[1].file = Some("bird/a, b.png".into());
        let csv = label_errors_csv(&record);
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 5);
        assert_eq!(
            lines[0],
            "index,path,label,predicted,self_confidence,predicted_probability,network,known_wrong"
        );
        assert_eq!(lines[1], "100,,automobile,bird,0.001,0.9,1,true");
        assert_eq!(lines[2], "101,\"bird/a, b.png\",airplane,automobile,0.1,0.9,2,false");
        record.noise = None;
        assert_eq!(
            label_errors_csv(&record).lines().nth(1),
            Some("100,,automobile,bird,0.001,0.9,1")
        );
    }
}
