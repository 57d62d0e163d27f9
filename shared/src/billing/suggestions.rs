//! Errors for values that are not in the catalog, with the value that was probably meant.
//!
//! SQL refuses such a value. Only then is the catalog read, so a successful request costs nothing.

use std::collections::BTreeSet;

use crate::adapters::postgres::PostgresError;
use crate::adapters::postgres::catalog::{Catalog, CatalogPlan};
use crate::app::App;
use crate::domain::catalog::PlanFeature;
use crate::domain::error::{Error, error_chain};
use crate::domain::{InvalidReason, Refusal, no_such};

/// The values of a request that the catalog may not have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Named<'a> {
    pub plan: Option<&'a str>,
    pub pack: Option<&'a str>,
    pub interval: Option<&'a str>,
    pub currency: Option<&'a str>,
    pub unit: Option<&'a str>,
}

/// Converts the error of a call. A refusal of an unknown value suggests a known one.
pub async fn explain(app: &App, error: PostgresError, named: Named<'_>) -> Error {
    match error.refusal() {
        Some(Refusal::InvalidInput(reason)) => {
            let (field, message) = field_and_message(app, reason, named).await;
            Error::invalid(field, message).with_cause(error)
        }
        _ => error.into(),
    }
}

/// Returns the field of the request and the problem with it, as
/// [`InvalidReason::field_and_message`] does, with a suggestion if the value is unknown.
pub async fn field_and_message(
    app: &App,
    reason: &InvalidReason,
    named: Named<'_>,
) -> (&'static str, String) {
    use InvalidReason::*;
    let (field, message) = reason.field_and_message();
    let is_unknown = matches!(
        reason,
        NotMetered { .. }
            | UnknownCurrency
            | UnknownFeature { .. }
            | UnknownInterval
            | UnknownPack
            | UnknownPlan
            | UnknownUnit
    );
    if !is_unknown {
        return (field, message);
    }
    let better = suggestion(reason, &catalog(app).await, named);
    (field, better.unwrap_or(message))
}

/// Returns the problem with a plan that does not exist. A plan may be named by its key or its name.
pub async fn unknown_plan(app: &App, plan: &str) -> String {
    let catalog = catalog(app).await;
    no_such("plan", plan, catalog.plans.iter().map(|plan| plan.name.as_str()))
}

/// Returns the catalog. If it cannot be read, messages have no suggestions.
async fn catalog(app: &App) -> Catalog {
    app.postgres.get_catalog().await.unwrap_or_else(|error| {
        tracing::warn!(problem = error_chain(&error), "an error has no suggestion");
        Catalog::default()
    })
}

fn suggestion(reason: &InvalidReason, catalog: &Catalog, named: Named<'_>) -> Option<String> {
    let sold = || catalog.plans.iter().filter(|plan| !plan.prices.is_empty());
    let plan = || sold().find(|plan| Some(plan.key.as_str()) == named.plan);
    let pack = || catalog.packs.iter().find(|pack| Some(pack.key.as_str()) == named.pack);
    Some(match reason {
        InvalidReason::UnknownPlan => {
            let given = named.plan?;
            if catalog.plans.iter().any(|plan| plan.default && plan.key == given) {
                return Some(format!(
                    "{given}: this plan is not sold; users without a subscription have it"
                ));
            }
            no_such("plan on sale", given, sold().map(|plan| plan.key.as_str()))
        }
        InvalidReason::UnknownPack => {
            no_such("pack", named.pack?, catalog.packs.iter().map(|pack| pack.key.as_str()))
        }
        InvalidReason::UnknownInterval => {
            let plan = plan()?;
            let intervals = plan.prices.iter().map(|price| price.interval.as_str());
            no_such(&format!("interval of {}", plan.key), named.interval?, intervals)
        }
        InvalidReason::UnknownCurrency => {
            let (key, currencies) = match (plan(), pack()) {
                (Some(plan), _) => (&plan.key, currencies_of(plan)),
                (None, Some(pack)) => {
                    let others = pack.currencies.keys().map(String::as_str);
                    (&pack.key, others.chain([pack.currency.as_str()]).collect())
                }
                (None, None) => return None,
            };
            no_such(&format!("currency of {key}"), named.currency?, currencies)
        }
        InvalidReason::UnknownUnit => no_such("unit of credits", named.unit?, units(catalog)),
        InvalidReason::UnknownFeature { feature } => {
            no_such("feature", feature, features(catalog, |_| true))
        }
        InvalidReason::NotMetered { feature } => {
            let is_metered = |terms: &PlanFeature| matches!(terms, PlanFeature::Metered { .. });
            no_such("metered feature", feature, features(catalog, is_metered))
        }
        _ => return None,
    })
}

fn currencies_of(plan: &CatalogPlan) -> BTreeSet<&str> {
    let prices = plan.prices.iter();
    prices
        .flat_map(|price| price.currencies.keys().chain([&price.currency]))
        .map(String::as_str)
        .collect()
}

fn units(catalog: &Catalog) -> BTreeSet<&str> {
    let features = catalog.plans.iter().flat_map(|plan| plan.features.values());
    let granted = features.filter_map(|terms| match terms {
        PlanFeature::Credits { unit, .. } => Some(unit.as_str()),
        _ => None,
    });
    granted.chain(catalog.packs.iter().map(|pack| pack.unit.as_str())).collect()
}

fn features(catalog: &Catalog, is_wanted: impl Fn(&PlanFeature) -> bool) -> BTreeSet<&str> {
    let all = catalog.plans.iter().flat_map(|plan| &plan.features);
    all.filter(|(_, terms)| is_wanted(terms)).map(|(key, _)| key.as_str()).collect()
}
