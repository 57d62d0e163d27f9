//! The tables of a run. `bench` prints them even if the run fails, so that no measurement is lost.

use crate::machine;
use crate::table::Table;

#[derive(Debug, Default)]
pub struct Report(Vec<Table>);

impl Report {
    /// Begins a table. [`Report::row`] adds rows to it.
    pub fn table<const N: usize>(&mut self, head: [&str; N]) {
        self.0.push(Table::new(head));
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        if let Some(table) = self.0.last_mut() {
            table.row(cells);
        }
    }

    /// Prints the machine and a line for each service, then the tables.
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

/// Formats a figure with `decimals` decimals, or a dash.
pub fn figure(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

/// Formats `part` as a percentage of `whole`, or a dash.
pub fn percent(part: Option<f64>, whole: Option<f64>) -> String {
    match (part, whole) {
        (Some(part), Some(whole)) => format!("{:.0} %", 100.0 * part / whole),
        _ => "-".to_owned(),
    }
}
