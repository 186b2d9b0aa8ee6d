//! Tables as text.

/// Spaces between the columns.
const GAP: usize = 2;

/// Cells in columns: those of the first start at its left edge, those of the others end at their
/// right one. A line ends with its last cell that is not empty.
#[expect(clippy::indexing_slicing, reason = "every row has N cells")]
pub fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let line = |row: &[String; N]| {
        let mut line = format!("{:<width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            line += &format!("{:GAP$}{cell:>width$}", "");
        }
        line.truncate(line.trim_end().len());
        line + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["", "NLL"], ["plain", "0.5"], ["größer", "0.25"], ["none", ""]];
        let rows = rows.map(|row| row.map(String::from));
        assert_eq!(table(&rows), "         NLL\nplain    0.5\ngrößer  0.25\nnone\n");
    }
}
