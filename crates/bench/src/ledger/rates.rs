//! Compares calls per second, and the cost of each call, with bare updates.

use std::net::SocketAddr;
use std::time::Duration;

use super::calls::{Accounts, BARE, CALLS};
use super::{Args, CONCURRENCIES};
use crate::cost::{self, Meter};
use crate::database::Database;
use crate::load;
use crate::report::{Report, figure, percent};
use crate::samples::{Samples, median};

/// The database, server and settings of a measurement.
pub struct Bench<'a> {
    pub database: &'a Database,
    pub address: SocketAddr,
    pub key: &'a str,
    pub args: &'a Args,
}

impl Bench<'_> {
    /// Adds a table of rates to the report.
    pub async fn rates(&self, what: &str, report: &mut Report) -> anyhow::Result<()> {
        report.table([
            what,
            "bare updates/s",
            "our SQL/s",
            "of bare",
            "over HTTP/s",
            "of bare",
            "median, ms",
            "p95, ms",
        ]);
        for accounts in Accounts::ALL {
            for concurrency in CONCURRENCIES {
                eprintln!("measuring with {concurrency} at a time");
                self.rates_of(accounts, concurrency, report).await?;
            }
        }
        Ok(())
    }

    async fn rates_of(
        &self,
        accounts: Accounts,
        concurrency: u32,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let Self { database, args, .. } = *self;
        let length = Duration::from_secs(args.seconds.into());
        let mut bares = Vec::new();
        let mut slices: Vec<(Vec<f64>, Vec<Vec<f64>>)> = vec![Default::default(); CALLS.len()];
        for _ in 0..args.slices {
            let script = accounts.script(BARE);
            bares.push(database.pgbench(&script, concurrency, args.seconds).await?);
            for (call, (sql, whole)) in CALLS.iter().zip(&mut slices) {
                let script = accounts.script(call.sql);
                sql.push(database.pgbench(&script, concurrency, args.seconds).await?);
                if let Some(requests) = call.requests(self.key, accounts) {
                    whole.push(load::send(self.address, &requests, concurrency, length).await?);
                }
            }
        }
        let bare = median(bares);
        for (call, (sql, whole)) in CALLS.iter().zip(slices) {
            let sql = median(sql);
            let rates = whole.iter().map(|slice| slice.len() as f64 / length.as_secs_f64());
            let over_http = median(rates);
            let times = Samples::new(whole.iter().flatten().copied());
            report.row([
                format!("{}, {}, {concurrency} at a time", call.name, accounts.name()),
                figure(bare, 0),
                figure(sql, 0),
                percent(sql, bare),
                figure(over_http, 0),
                percent(over_http, bare),
                figure(times.as_ref().map(Samples::median), 2),
                figure(times.as_ref().map(Samples::p95), 2),
            ]);
        }
        Ok(())
    }
}

/// Adds a table of costs to the report.
pub async fn costs(meter: &Meter, what: &str, report: &mut Report) -> anyhow::Result<()> {
    cost::begin(report, what);
    for accounts in Accounts::ALL {
        let bare = meter.measure(&accounts.calls(BARE)).await?;
        cost::add(
            report,
            &format!("bare update, {}", accounts.name()),
            bare.as_ref(),
            bare.as_ref(),
        );
        for call in CALLS {
            let cost = meter.measure(&accounts.calls(call.sql)).await?;
            let name = format!("{}, {}", call.name, accounts.name());
            cost::add(report, &name, cost.as_ref(), bare.as_ref());
        }
    }
    Ok(())
}
