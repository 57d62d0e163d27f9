//! Imports a business that already uses Stripe: the users of its customers, their subscriptions,
//! and their opening balances of credits.
//!
//! An import reports every problem of the files at once, before it changes anything. It skips
//! records that are already imported, so a second run continues after a failure. It sends no
//! e-mail.

mod credits;
mod csv;
mod customers;

use std::collections::BTreeSet;
use std::fmt;

use anyhow::anyhow;
use shared::adapters::stripe::StripeError;
use shared::app::App;
use shared::billing::reconcile::{self, ReconciliationReport};
use shared::domain::error::Error;

/// A file's name and its content.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    pub name: &'a str,
    pub text: &'a str,
}

/// The files of an import.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files<'a> {
    /// `user_id,customer_id[,email]`: takes precedence over the customers' metadata.
    pub customers: Option<File<'a>>,
    /// `user_id,unit,credits`
    pub credits: Option<File<'a>>,
}

/// The result of an import. With `dry_run`, the import changed nothing.
#[derive(Debug)]
pub struct Imported {
    pub customers: Count,
    /// Customers without a user in the file or in their metadata.
    pub without_user: usize,
    pub subscriptions: ReconciliationReport,
    pub credits: Count,
}

/// Counts of new and known records.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Count {
    pub new: usize,
    pub same: usize,
    /// Records of erased users, which are skipped.
    pub erased: usize,
}

/// Every problem of the files, one per line: `credits.csv:3: ...`.
#[derive(Debug, Default, thiserror::Error)]
#[error("nothing was changed:\n{}", lines(.0))]
pub struct Problems(BTreeSet<(String, usize, String)>);

pub async fn run(app: &App, files: Files<'_>, dry_run: bool) -> anyhow::Result<Imported> {
    let mut problems = Problems::default();
    let named = customers::read(files.customers, &mut problems);
    let lines = credits::read(files.credits, &mut problems);
    let customers = customers::compare(app, &named, &mut problems).await?;
    let credits = credits::compare(app, lines, &mut problems).await?;
    if !problems.0.is_empty() {
        return Err(problems.into());
    }
    if !dry_run {
        customers.adopt(app).await?;
    }
    let subscriptions = reconcile::subscriptions(app, dry_run).await.map_err(failed)?;
    if !dry_run {
        credits.post(app).await?;
    }
    Ok(Imported {
        customers: customers.count,
        without_user: customers.without_user,
        subscriptions,
        credits: credits.count,
    })
}

impl Count {
    fn add(&mut self, word: &str) {
        match word {
            "new" => self.new += 1,
            "same" => self.same += 1,
            _ => self.erased += 1,
        }
    }
}

impl Problems {
    fn add(&mut self, file: &str, line: usize, what: impl fmt::Display) {
        self.0.insert((file.to_owned(), line, what.to_string()));
    }
}

fn lines(problems: &BTreeSet<(String, usize, String)>) -> String {
    let lines = problems.iter().map(|(file, line, what)| format!("{file}:{line}: {what}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn failed(error: impl Into<Error>) -> anyhow::Error {
    anyhow!(error.into().for_operators())
}

fn refused(error: StripeError) -> anyhow::Error {
    anyhow!(error.in_words())
}
