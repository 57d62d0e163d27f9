//! Compares events per second, and the cost of each event, with bare statements.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::events::{self, Event, Stream, Stripe};
use super::{Args, CONCURRENCIES};
use crate::cost::{self, Meter};
use crate::load;
use crate::report::{Report, figure, percent};
use crate::samples::{Samples, median};
use crate::sql::{Calls, Connections, Statement, plain, with};

/// Applies an event that describes only one subscription, as Farebox does.
const APPLY: &str = "
  select apply_subscription_update(
    $1, $2, $3::bigint, $4::integer, $5, $6::bigint, $7::bigint, $8::bigint, $9, now())";
/// Inserts one row, with the width and the indexes of an event's row.
const INSERT: &str = "
  insert into bench.bare (id, kind, created_at, processed_at)
  values (gen_random_uuid(), 'an.event', now(), $1::bigint)";
const FIRST_UPDATE: &str = "
  update bench.rows
  set balance = balance - 1
  where id = $1::integer";
const SECOND_UPDATE: &str = "
  update bench.rows
  set balance = balance - 1
  where id = 100001 - $1::integer";
const FIVE: &str = "select bench.five($1::bigint)";
/// The number of rows that the updates use.
const ROWS: u32 = 100_000;

/// The connections, the server and the settings of a measurement.
pub struct Bench<'a> {
    pub connections: Connections,
    pub address: SocketAddr,
    pub stripe: Arc<Stripe>,
    pub args: &'a Args,
}

/// The rates per second at one concurrency. A rate is `None` if its events ran out.
#[derive(Default)]
pub struct Rates {
    bare: Option<f64>,
    sql: Option<f64>,
    whole: Option<f64>,
}

impl Bench<'_> {
    /// Adds a table of costs and one of rates to the report. Uses customers from `first` on.
    pub async fn measure(
        &self,
        meter: &Meter,
        event: Event,
        first: u32,
        what: &str,
        report: &mut Report,
    ) -> anyhow::Result<Vec<Rates>> {
        eprintln!("making events");
        let number = self.args.events();
        let updates = self.stripe.bodies(event, first, number);
        let updates: Result<Vec<_>, _> = updates.iter().map(|body| events::update(body)).collect();
        let updates = Stream::new(updates?);
        let bodies = Stream::new(self.stripe.bodies(event, first + 1, number));
        let name = match event {
            Event::Update => "updates",
            Event::Renewal => "renewals that bring credits",
        };
        let what = format!("{name}, {what}");
        meter.leave_pages_out(true).await?;
        costs(meter, &apply(&updates), &format!("{what}, per call"), report).await?;
        meter.leave_pages_out(false).await?;
        self.rates(&updates, &bodies, &what, report).await
    }

    async fn rates(
        &self,
        updates: &Arc<Stream<Vec<String>>>,
        bodies: &Arc<Stream<String>>,
        what: &str,
        report: &mut Report,
    ) -> anyhow::Result<Vec<Rates>> {
        report.table([
            what,
            "bare inserts/s",
            "five bare/s",
            "our SQL/s",
            "of bare",
            "of five",
            "over HTTP/s",
            "of bare",
            "of five",
            "median, ms",
            "p99, ms",
        ]);
        let mut all = Vec::new();
        let length = Duration::from_secs(self.args.seconds.into());
        for concurrency in CONCURRENCIES {
            eprintln!("measuring with {concurrency} at a time");
            let rate = |calls| self.connections.rate(calls, concurrency, length);
            let (mut bare, mut five, mut sql) = (Vec::new(), Vec::new(), Vec::new());
            let (mut whole, mut times) = (Vec::new(), Vec::new());
            for _ in 0..self.args.slices {
                bare.extend(rate(insert()).await?);
                five.extend(rate(pipeline()).await?);
                sql.extend(rate(apply(updates)).await?);
                let requests = self.stripe.requests(bodies);
                let slice = load::send(self.address, &requests, concurrency, length).await?;
                if !bodies.ran_out() {
                    whole.push(slice.len() as f64 / length.as_secs_f64());
                    times.extend(slice);
                }
            }
            let (five, times) = (median(five), Samples::new(times));
            let rates = Rates { bare: median(bare), sql: median(sql), whole: median(whole) };
            report.row([
                format!("{concurrency} at a time"),
                figure(rates.bare, 0),
                figure(five, 0),
                figure(rates.sql, 0),
                percent(rates.sql, rates.bare),
                percent(rates.sql, five),
                figure(rates.whole, 0),
                percent(rates.whole, rates.bare),
                percent(rates.whole, five),
                figure(times.as_ref().map(Samples::median), 2),
                figure(times.as_ref().map(Samples::p99), 2),
            ]);
            all.push(rates);
        }
        Ok(all)
    }
}

async fn costs(
    meter: &Meter,
    apply: &Calls,
    what: &str,
    report: &mut Report,
) -> anyhow::Result<()> {
    cost::begin(report, what);
    let bare = meter.measure(&insert()).await?;
    cost::add(report, "bare insert", bare.as_ref(), bare.as_ref());
    for (name, calls) in [
        ("five bare statements, begin and commit, in one flight", pipeline()),
        ("the five in a function", numbered(|n| vec![with(FIVE, n)])),
        ("our SQL", Arc::clone(apply)),
    ] {
        let cost = meter.measure(&calls).await?;
        cost::add(report, name, cost.as_ref(), bare.as_ref());
    }
    Ok(())
}

/// Adds a table of slowdowns with more stored rows. Bare inserts are the reference.
pub fn compare(what: &str, few: &[Rates], many: &[Rates], report: &mut Report) {
    let head = format!("{what}: times slower with more");
    report.table([&head, "bare", "our SQL", "over HTTP"]);
    let slower = |few: Option<f64>, many| figure(few.zip(many).map(|(few, many)| few / many), 2);
    for (concurrency, (few, many)) in CONCURRENCIES.iter().zip(few.iter().zip(many)) {
        report.row([
            format!("{concurrency} at a time"),
            slower(few.bare, many.bare),
            slower(few.sql, many.sql),
            slower(few.whole, many.whole),
        ]);
    }
}

fn apply(updates: &Arc<Stream<Vec<String>>>) -> Calls {
    let updates = Arc::clone(updates);
    Arc::new(move || {
        let parameters = updates.next()?.clone();
        Some(vec![Statement { sql: APPLY, parameters }])
    })
}

fn insert() -> Calls {
    numbered(|n| vec![with(INSERT, n)])
}

/// Two updates and three inserts, which a renewal needs at least: the event's row, the
/// subscription, the balance, and two ledger entries.
fn pipeline() -> Calls {
    numbered(|n| {
        vec![
            plain("begin"),
            with(INSERT, n),
            with(FIRST_UPDATE, n),
            with(SECOND_UPDATE, n),
            with(INSERT, n),
            with(INSERT, n),
            plain("commit"),
        ]
    })
}

fn numbered(statements: impl Fn(u32) -> Vec<Statement> + Send + Sync + 'static) -> Calls {
    let next = std::sync::atomic::AtomicU32::default();
    Arc::new(move || {
        let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // Consecutive calls use rows that are far apart in the table.
        Some(statements(number.wrapping_mul(617) % ROWS + 1))
    })
}
