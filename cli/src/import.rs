//! Adopting a business that already runs at Stripe: whose its customers are, what they subscribed to,
//! and the credits they bring along.
//!
//! Everything that is wrong with the files is said at once, and before anything is changed. What was
//! adopted before is left as it is, so that an import can be run again, and go on where it stopped.
//! Nobody is written to.

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

/// What the business knows of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files<'a> {
    /// `user_id,customer_id[,email]`: goes before what the customers' metadata says.
    pub customers: Option<File<'a>>,
    /// `user_id,unit,credits`
    pub credits: Option<File<'a>>,
}

/// What was adopted; of a dry run, what would be.
#[derive(Debug)]
pub struct Imported {
    pub customers: Count,
    /// Customers of whom nobody says whose they are.
    pub nameless: usize,
    pub subscriptions: ReconciliationReport,
    pub credits: Count,
}

/// How many are news, and how many are not.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Count {
    pub new: usize,
    pub same: usize,
    /// Of users who were erased: they are left out.
    pub erased: usize,
}

/// Everything that is wrong with the files, a line each: `credits.csv:3: ...`.
#[derive(Debug, Default)]
pub struct Problems(BTreeSet<(String, usize, String)>);

pub async fn run(app: &App, files: Files<'_>, dry_run: bool) -> anyhow::Result<Imported> {
    let mut problems = Problems::default();
    let named = customers::read(files.customers, &mut problems);
    let lines = credits::read(files.credits, &mut problems);
    let customers = customers::look(app, &named, &mut problems).await?;
    let credits = credits::look(app, lines, &mut problems).await?;
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
        nameless: customers.nameless,
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

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was changed:")?;
        self.0.iter().try_for_each(|(file, line, what)| write!(f, "\n{file}:{line}: {what}"))
    }
}

impl std::error::Error for Problems {}

fn failed(error: impl Into<Error>) -> anyhow::Error {
    anyhow!(error.into().for_operators())
}

fn refused(error: StripeError) -> anyhow::Error {
    anyhow!(error.in_words())
}
