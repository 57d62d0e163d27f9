//! Aligned columns.

use super::{Palette, Style};
use crate::outln;

/// Rows of cells, the first of which is the head.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Row>,
    palette: Palette,
}

#[derive(Debug)]
struct Row {
    cells: Vec<String>,
    style: Option<Style>,
}

impl Table {
    pub fn new<const COLUMNS: usize>(palette: Palette, head: [&str; COLUMNS]) -> Self {
        let cells = head.map(str::to_owned).into();
        Self { rows: vec![Row { cells, style: Some(Style::Bold) }], palette }
    }

    pub fn add<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS], style: Option<Style>) {
        self.rows.push(Row { cells: cells.into(), style });
    }

    pub fn print(&self) {
        for line in self.lines() {
            outln!("{line}");
        }
    }

    /// The lines, without spaces at their ends.
    pub fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &Row| {
            let cells = row.cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            let text = cells.collect::<Vec<_>>().join("  ").trim_end().to_owned();
            row.style.map_or(text.clone(), |style| self.palette.paint(style, text))
        };
        self.rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(Palette::PLAIN, ["A", "B"]);
        table.add(["é→".to_owned(), "1".to_owned()], None);
        table.add(["longer".to_owned(), String::new()], Some(Style::Red));
        assert_eq!(table.lines(), ["A       B", "é→      1", "longer"]);
    }
}
