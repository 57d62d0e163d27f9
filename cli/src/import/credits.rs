use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::app::App;
use shared::billing::fulfilment;
use shared::domain::UserId;

use super::{Count, File, Problems, csv, failed};

/// As many are compared at once.
const BATCH: usize = 500;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Lines {
    file: String,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    number: usize,
    user_id: String,
    unit: String,
    credits: i64,
}

/// The credits that are to be posted.
#[derive(Debug, Default)]
pub(super) struct Credits {
    pub count: Count,
    new: Vec<Line>,
}

pub(super) fn read(file: Option<File<'_>>, problems: &mut Problems) -> Lines {
    let Some(file) = file else { return Lines::default() };
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
        let line = Line { number: record.line, user_id, unit, credits };
        let before: &mut Line = lines.entry(key).or_insert(line);
        if before.credits != credits {
            wrong(format!(
                "other credits of the same user and unit than in line {}",
                before.number
            ));
        }
    }
    let mut lines: Vec<_> = lines.into_values().collect();
    lines.sort_by_key(|line| line.number);
    Lines { file: file.name.to_owned(), lines }
}

/// Finds out what is to be done. Changes nothing.
pub(super) async fn look(
    app: &App,
    said: Lines,
    problems: &mut Problems,
) -> anyhow::Result<Credits> {
    let mut credits = Credits::default();
    let mut words = Vec::new();
    for batch in said.lines.chunks(BATCH) {
        let batch = batch.iter().map(Line::to_json).collect();
        words.extend(app.postgres.compare_credits(&batch).await.map_err(failed)?);
    }
    for (line, word) in said.lines.into_iter().zip(words) {
        let Line { number, unit, .. } = &line;
        match word.as_str() {
            "taken" => {
                let what = format!("other credits of the unit {unit} were imported before");
                problems.add(&said.file, *number, what);
            }
            "unknown_unit" => {
                problems.add(&said.file, *number, format!("the catalog has no unit {unit}"));
            }
            word => credits.count.add(word),
        }
        if word == "new" {
            credits.new.push(line);
        }
    }
    Ok(credits)
}

impl Credits {
    pub(super) async fn post(&self, app: &App) -> anyhow::Result<()> {
        for Line { user_id, unit, credits, .. } in &self.new {
            let now = app.clock.now();
            let posted = app.postgres.post_opening_credits(user_id, unit, *credits, now).await;
            if let Some(entitlement) = posted.map_err(failed)? {
                fulfilment::push_best_effort(app, &entitlement, now).await;
            }
        }
        Ok(())
    }
}

impl Line {
    fn to_json(&self) -> Value {
        json!({ "user_id": self.user_id, "unit": self.unit, "credits": self.credits })
    }
}
