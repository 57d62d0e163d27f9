//! The tables of a run, which are printed even if it fails: minutes of measuring are not lost.

use crate::machine;
use crate::table::Table;

#[derive(Debug, Default)]
pub struct Report(Vec<Table>);

impl Report {
    /// Begins a table, to which [`Report::row`] adds.
    pub fn table<const N: usize>(&mut self, head: [&str; N]) {
        self.0.push(Table::new(head));
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        if let Some(table) = self.0.last_mut() {
            table.row(cells);
        }
    }

    /// Prints the tables after what they were measured on. `services` has a line for each service.
    pub fn print(&self, services: &[String]) -> anyhow::Result<()> {
        println!("{}", machine::describe()?);
        for line in services {
            println!("{line}");
        }
        println!();
        for table in &self.0 {
            println!("{table}");
        }
        Ok(())
    }
}

/// The figure with so many decimals, or a dash.
pub fn figure(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

/// `part` in percent of `whole`, or a dash.
pub fn percent(part: Option<f64>, whole: Option<f64>) -> String {
    match (part, whole) {
        (Some(part), Some(whole)) => format!("{:.0} %", 100.0 * part / whole),
        _ => "-".to_owned(),
    }
}
