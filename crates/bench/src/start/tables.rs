//! Prints the tables of `bench start`, and finds the functions that are over budget.

use anyhow::Context as _;
use platforms::Platform;
use shared::billing::entitlement_cache::Source;
use shared::endpoints::ENTITLEMENTS;

use super::node::Node;
use super::series::{Answer, Series};
use crate::release::{Binaries, Size};
use crate::samples::Samples;
use crate::table::{Table, grouped};

const SIZE_BUDGET_BYTES: u64 = 6_000_000;
const READY_BUDGET_MS: f64 = 10.0;
/// The machine counts as busy if the 95th percentile of an empty process is this many times its
/// minimum.
const NOISE: f64 = 1.5;

/// Prints the size of each function, and when it was ready; returns those that are too large or too
/// late.
pub fn sizes(
    functions: &[&'static str],
    binaries: &Binaries,
    series: &[Series],
) -> anyhow::Result<Vec<String>> {
    let mut over = Vec::new();
    let mut table = Table::new([
        "function",
        "Vercel: bytes",
        "in a zip",
        "ready, ms",
        "Lambda: bytes",
        "in a zip",
        "ready, ms",
    ]);
    for &function in functions {
        let mut row = vec![function.to_owned()];
        for platform in Platform::ALL {
            let Some(path) = binaries.path(function, platform) else {
                row.extend(["-", "-", "-"].map(str::to_owned));
                continue;
            };
            let binary = platform.binary(function);
            let Size { bytes, zipped } = Size::of(path)?;
            let ready = series.iter().find(|series| series.is_of(&binary));
            let ready = ready.context("a function was not started")?.ready()?.median();
            row.extend([grouped(bytes), grouped(zipped), tenths(ready)]);
            if bytes > SIZE_BUDGET_BYTES {
                over.push(format!("{binary} is {} bytes", grouped(bytes)));
            }
            if ready > READY_BUDGET_MS {
                over.push(format!("{binary} is ready after {ready:.1} ms"));
            }
        }
        table.row(row);
    }
    println!("{table}");
    println!("Each file is compressed by `gzip -9`, which uses the same algorithm as a zip file.");
    println!(
        "Budget: {} bytes, and ready within {READY_BUDGET_MS} ms, in the median.\n",
        grouped(SIZE_BUDGET_BYTES)
    );
    Ok(over)
}

/// Prints the times of the functions that were called, and the floor of all times.
pub fn times<'a>(
    series: impl Iterator<Item = &'a Series>,
    nothing: &Samples,
) -> anyhow::Result<()> {
    let mut table = Table::new([
        "exec to ..., ms",
        "ready: min",
        "median",
        "p95",
        "first answer: min",
        "median",
        "p95",
        "CPU, ms",
        "resident, KiB",
    ]);
    for series in series {
        let figures = (|| {
            let after = series.answers(|answer| answer.after)?;
            let cpu = series.answers(|answer| answer.cpu)?;
            let resident = series.answers(|answer| answer.resident_kib)?;
            Some((after, cpu.median(), resident.median()))
        })();
        let Some((after, cpu, resident)) = figures else { continue };
        let ready = series.ready()?;
        let times = [ready, after].map(|times| [times.min(), times.median(), times.p95()]);
        let times = times.into_iter().flatten().chain([cpu]).map(tenths);
        table.row([series.name()].into_iter().chain(times).chain([whole(resident)]));
    }
    println!("{table}\nCPU time and resident memory are medians at the end of the first answer.");
    let [min, median, p95] = [nothing.min(), nothing.median(), nothing.p95()];
    let verdict = if p95 > NOISE * min { "busy: trust the minima" } else { "quiet" };
    println!(
        "Floor: `true`, from exec to exit, takes {min:.1}, {median:.1} and {p95:.1} ms \
         (min, median, p95). The machine was {verdict}.\n"
    );
    Ok(())
}

/// Prints the same read in Node and in Farebox, on Lambda.
pub fn beside_node(farebox: &[Series], node: &Node, binaries: &Binaries) -> anyhow::Result<()> {
    let binary = Platform::Lambda.binary(ENTITLEMENTS.name);
    let both = |source| {
        let theirs = node.reads.iter().find(|series| series.reads(source));
        let ours = farebox.iter().find(|series| series.is_of(&binary) && series.reads(source));
        theirs.zip(ours).map(|(theirs, ours)| [theirs, ours]).context("a read was not measured")
    };
    let (cache, postgres) = (both(Source::Cache)?, both(Source::Database)?);
    let [theirs, ours] = cache.map(Series::ready);
    let ready = [theirs?.median(), ours?.median()];
    let ours = binaries.path(ENTITLEMENTS.name, Platform::Lambda).context("no function")?;
    let sizes = [node.size, Size::of(ours)?];

    let mut table = Table::new(["on Lambda, median", "Node", "Farebox", "times", "goal"]);
    table.row(compared("exec to first poll, ms", ready, tenths, Some(40)));
    for (from, series, goal) in [("the cache", cache, 49), ("Postgres", postgres, 12)] {
        let median = |figure: fn(&Answer) -> f64| {
            let [theirs, ours] = series.map(|series| series.answers(figure));
            let both = theirs.zip(ours).context("no answers")?;
            anyhow::Ok([both.0.median(), both.1.median()])
        };
        let after = median(|answer| answer.after)?;
        table.row(compared(&format!("exec to answer from {from}, ms"), after, tenths, Some(goal)));
        let cpu = median(|answer| answer.cpu)?;
        table.row(compared(&format!("CPU, from {from}, ms"), cpu, tenths, None));
        let resident = median(|answer| answer.resident_kib)?;
        table.row(compared(&format!("resident, from {from}, KiB"), resident, whole, None));
    }
    table.row(compared("size, bytes", sizes.map(|size| size.bytes as f64), whole, None));
    table.row(compared("size in a zip, bytes", sizes.map(|size| size.zipped as f64), whole, None));
    println!("{table}\n{}.\n", node.versions.join(", "));
    Ok(())
}

/// A row of Node's figure, Farebox's, and how many times as high Node's is.
fn compared(
    what: &str,
    [node, farebox]: [f64; 2],
    written: fn(f64) -> String,
    goal: Option<u32>,
) -> [String; 5] {
    let times = node / farebox;
    let decimals = if times < 1.0 { 2 } else { 1 };
    [
        what.to_owned(),
        written(node),
        written(farebox),
        format!("{times:.decimals$}"),
        goal.map_or_else(|| "-".to_owned(), |goal| goal.to_string()),
    ]
}

fn tenths(figure: f64) -> String {
    format!("{figure:.1}")
}

fn whole(figure: f64) -> String {
    grouped(figure.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_how_many_times_as_high_nodes_figure_is() {
        let row = compared("poll, ms", [108.04, 2.7], tenths, Some(40));
        assert_eq!(row, ["poll, ms", "108.0", "2.7", "40.0", "40"]);
        let row = compared("bytes", [250_000.0, 1_000_000.0], whole, None);
        assert_eq!(row, ["bytes", "250,000", "1,000,000", "0.25", "-"]);
    }
}
