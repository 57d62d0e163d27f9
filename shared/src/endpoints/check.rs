//! `POST /api/check`: whether a user may use a feature, or several, now (DM-3).
//!
//! A question, so the answer is 200 with `allowed`, never an error: no client can take "no" for "broken".
//! Nothing is counted by it.

use axum::extract::State;
use axum::routing::{MethodRouter, post};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::billing::entitlement_cache::{EntitlementCache, Source};
use crate::domain::entitlement::Verdict;
use crate::domain::error::{Error, Result};
use crate::domain::{CatalogKey, Entitlement, PositiveCount};
use crate::http::{Input, User};

const MAX_CHECKS: usize = 50;

/// One feature, or up to 50 in `checks`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CheckQuestion")]
pub struct Question {
    #[serde(default)]
    feature: Option<CatalogKey>,
    /// How many times; 1 if absent.
    #[serde(default, deserialize_with = "PositiveCount::if_given")]
    quantity: Option<PositiveCount>,
    #[serde(default)]
    #[schemars(length(min = 1, max = 50))]
    checks: Option<Vec<Check>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    feature: CatalogKey,
    /// How many times; 1 if absent.
    #[serde(default = "PositiveCount::one")]
    quantity: PositiveCount,
}

/// The answer to one check, or to each, in their order.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
#[schemars(rename = "CheckAnswer")]
pub enum Answer {
    One(Verdict),
    Several { checks: Vec<Verdict> },
}

pub fn routes() -> MethodRouter<App> {
    post(check)
}

async fn check(
    State(app): State<App>,
    User(user): User,
    Input(question): Input<Question>,
) -> Result<(Extension<Source>, Json<Answer>)> {
    let asked = question.read()?;
    let (found, source) = EntitlementCache::of(&app).read(&user).await?;
    let answer = match &asked {
        Asked::One(check) => Answer::One(verdict(found.as_ref(), check, || "feature".to_owned())?),
        Asked::Several(checks) => {
            let each = checks.iter().enumerate().map(|(place, check)| {
                verdict(found.as_ref(), check, || format!("checks[{place}].feature"))
            });
            Answer::Several { checks: each.collect::<Result<_>>()? }
        }
    };
    Ok((Extension(source), Json(answer)))
}

fn verdict(
    found: Option<&Entitlement>,
    check: &Check,
    field: impl Fn() -> String,
) -> Result<Verdict> {
    let feature = check.feature.as_str();
    match found {
        None => Ok(Verdict::no_customer(feature)),
        Some(entitlement) => entitlement
            .check(feature, check.quantity)
            .ok_or_else(|| Error::invalid(field(), "is not a feature of the catalog")),
    }
}

enum Asked {
    One(Check),
    Several(Vec<Check>),
}

impl Question {
    fn read(self) -> Result<Asked> {
        match self {
            Self { feature: Some(feature), quantity, checks: None } => {
                Ok(Asked::One(Check { feature, quantity: quantity.unwrap_or(PositiveCount::ONE) }))
            }
            Self { feature: None, quantity: None, checks: Some(checks) } => {
                if checks.is_empty() || checks.len() > MAX_CHECKS {
                    let message = format!("must have 1 to {MAX_CHECKS} entries");
                    return Err(Error::invalid("checks", message));
                }
                Ok(Asked::Several(checks))
            }
            Self { checks: Some(_), .. } => {
                Err(Error::invalid("checks", "stands alone: each has its feature and quantity"))
            }
            Self { feature: None, .. } => Err(Error::invalid("feature", "is missing")),
        }
    }
}
