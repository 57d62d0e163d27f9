//! A Markdown table, aligned for a terminal.

use std::fmt;

#[derive(Debug)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new<const N: usize>(head: [&str; N]) -> Self {
        Self { head: head.map(str::to_owned).into(), rows: Vec::new() }
    }

    /// Adds a row, with one cell for each cell of the head.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| {
            all().filter_map(|row| row.get(column)).map(|cell| cell.len()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        for (index, row) in all().enumerate() {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Aligns names to the left and figures to the right.
                match column {
                    0 => write!(f, "| {cell:<width$} ")?,
                    _ => write!(f, "| {cell:>width$} ")?,
                }
            }
            writeln!(f, "|")?;
            if index == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let dashes = "-".repeat(width + 1);
                    write!(f, "|{}", if column == 0 { dashes + "-" } else { dashes + ":" })?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

/// Formats `5376520` as `5,376,520`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_markdown() {
        let mut table = Table::new(["name", "bytes"]);
        table.row(["mood".to_owned(), grouped(5_193_400)]);
        table.row(["a".to_owned(), grouped(12)]);
        let expected = "\
| name |     bytes |
|------|----------:|
| mood | 5,193,400 |
| a    |        12 |
";
        assert_eq!(table.to_string(), expected);
    }
}
