//! `POST /api/check`: checks whether a user may use one or more features now (DM-3).
//!
//! A refusal is a 200 with `allowed: false`, so that clients cannot confuse it with a failure. A
//! check counts no usage.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{MethodRouter, post};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::billing::entitlement_cache::{EntitlementCache, Source};
use crate::domain::entitlement::FeatureCheckResult;
use crate::domain::error::{Error, Result};
use crate::domain::{CatalogKey, Entitlement, PositiveCount, if_given, no_such};
use crate::http::{Input, Owner};

const MAX_CHECKS: usize = 50;

/// One feature to check, in `feature` and `quantity`, or up to 50 in `checks`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// The feature's key in the catalog. Not together with `checks`.
    #[serde(default, deserialize_with = "if_given")]
    feature: Option<CatalogKey>,
    /// The intended usage, or the credits needed; 1 if absent. Not together with `checks`.
    #[serde(default, deserialize_with = "if_given")]
    quantity: Option<PositiveCount>,
    /// Several checks. The results have the same order.
    #[serde(default, deserialize_with = "if_given")]
    #[schemars(length(min = 1, max = 50))]
    checks: Option<Vec<FeatureCheck>>,
}

/// One of several checks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureCheck {
    /// The feature's key in the catalog.
    feature: CatalogKey,
    /// The intended usage, or the credits needed; 1 if absent.
    #[serde(default = "PositiveCount::one")]
    quantity: PositiveCount,
}

/// The result of the check or, for a request with `checks`, an object whose `checks` has the result
/// of each.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
pub enum CheckResponse {
    One(FeatureCheckResult),
    Several { checks: Vec<FeatureCheckResult> },
}

pub fn routes() -> MethodRouter<Arc<App>> {
    post(check_features)
}

async fn check_features(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    Input(question): Input<CheckRequest>,
) -> Result<(Extension<Source>, Json<CheckResponse>)> {
    let asked = question.read()?;
    let (found, source) = EntitlementCache::of(&app).read(&owner).await?;
    let answer = match &asked {
        ParsedChecks::One(check) => {
            CheckResponse::One(verdict(found.as_ref(), check, || "feature".to_owned())?)
        }
        ParsedChecks::Several(checks) => {
            let each = checks.iter().enumerate().map(|(place, check)| {
                verdict(found.as_ref(), check, || format!("checks[{place}].feature"))
            });
            CheckResponse::Several { checks: each.collect::<Result<_>>()? }
        }
    };
    Ok((Extension(source), Json(answer)))
}

fn verdict(
    found: Option<&Entitlement>,
    check: &FeatureCheck,
    field: impl Fn() -> String,
) -> Result<FeatureCheckResult> {
    let feature = check.feature.as_str();
    match found {
        None => Ok(FeatureCheckResult::no_customer(feature)),
        Some(entitlement) => entitlement.check(feature, check.quantity).ok_or_else(|| {
            let known = entitlement.terms.value.features.keys().map(String::as_str);
            Error::invalid(field(), no_such("feature", feature, known))
        }),
    }
}

enum ParsedChecks {
    One(FeatureCheck),
    Several(Vec<FeatureCheck>),
}

impl CheckRequest {
    fn read(self) -> Result<ParsedChecks> {
        match self {
            Self { feature: Some(feature), quantity, checks: None } => {
                Ok(ParsedChecks::One(FeatureCheck {
                    feature,
                    quantity: quantity.unwrap_or(PositiveCount::ONE),
                }))
            }
            Self { feature: None, quantity: None, checks: Some(checks) } => {
                if checks.is_empty() || checks.len() > MAX_CHECKS {
                    let message = format!("must have 1 to {MAX_CHECKS} entries");
                    return Err(Error::invalid("checks", message));
                }
                Ok(ParsedChecks::Several(checks))
            }
            Self { checks: Some(_), .. } => {
                Err(Error::invalid("checks", "cannot be combined with `feature` or `quantity`"))
            }
            Self { feature: None, .. } => Err(Error::invalid("feature", "is missing")),
        }
    }
}
