//! Imports opening balances of credits.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::app::App;
use shared::billing::fulfilment;
use shared::domain::UserId;

use super::{Count, File, Problems, csv, failed};

/// The number of lines compared in one call.
const BATCH: usize = 500;

/// The lines of the credits file.
#[derive(Debug, Default)]
pub(super) struct CreditFile {
    file: String,
    lines: Vec<CreditLine>,
}

#[derive(Debug)]
struct CreditLine {
    number: usize,
    user_id: String,
    unit: String,
    credits: i64,
}

/// The credits to post.
#[derive(Debug, Default)]
pub(super) struct Credits {
    pub count: Count,
    new: Vec<CreditLine>,
}

pub(super) fn read(file: Option<File<'_>>, problems: &mut Problems) -> CreditFile {
    let Some(file) = file else { return CreditFile::default() };
    let mut lines = BTreeMap::new();
    for record in csv::read(file, &["user_id", "unit", "credits"], &[], problems) {
        let mut wrong = |what: String| problems.add(file.name, record.line, what);
        let (user_id, unit) = (record.get("user_id").to_owned(), record.get("unit").to_owned());
        if let Err(why) = UserId::try_from(user_id.clone()) {
            wrong(format!("user_id {why}"));
            continue;
        }
        let Some(credits) = record.get("credits").parse().ok().filter(|credits| *credits >= 0)
        else {
            wrong("credits must be a whole number, 0 or more".to_owned());
            continue;
        };
        let key = (user_id.clone(), unit.clone());
        let line = CreditLine { number: record.line, user_id, unit, credits };
        let before: &mut CreditLine = lines.entry(key).or_insert(line);
        if before.credits != credits {
            wrong(format!(
                "credits differ from line {}, which has the same user and unit",
                before.number
            ));
        }
    }
    let mut lines: Vec<_> = lines.into_values().collect();
    lines.sort_by_key(|line| line.number);
    CreditFile { file: file.name.to_owned(), lines }
}

/// Compares the file with the ledger and returns the credits to post. Changes nothing.
pub(super) async fn compare(
    app: &App,
    file: CreditFile,
    problems: &mut Problems,
) -> anyhow::Result<Credits> {
    let mut credits = Credits::default();
    let mut verdicts = Vec::new();
    for batch in file.lines.chunks(BATCH) {
        let batch = batch.iter().map(CreditLine::to_json).collect();
        verdicts.extend(app.postgres.compare_opening_balances(&batch).await.map_err(failed)?);
    }
    for (line, verdict) in file.lines.into_iter().zip(verdicts) {
        let CreditLine { number, unit, .. } = &line;
        match verdict.as_str() {
            "taken" => {
                let what =
                    format!("credits differ from the opening balance of {unit} imported before");
                problems.add(&file.file, *number, what);
            }
            "unknown_unit" => {
                problems.add(&file.file, *number, format!("the catalog has no unit {unit}"));
            }
            verdict => credits.count.add(verdict),
        }
        if verdict == "new" {
            credits.new.push(line);
        }
    }
    Ok(credits)
}

impl Credits {
    pub(super) async fn post(&self, app: &App) -> anyhow::Result<()> {
        for CreditLine { user_id, unit, credits, .. } in &self.new {
            let now = app.clock.now();
            let posted = app.postgres.post_opening_balance(user_id, unit, *credits, now).await;
            if let Some(entitlement) = posted.map_err(failed)? {
                fulfilment::push_best_effort(app, &entitlement, now).await;
            }
        }
        Ok(())
    }
}

impl CreditLine {
    fn to_json(&self) -> Value {
        json!({ "user_id": self.user_id, "unit": self.unit, "credits": self.credits })
    }
}
