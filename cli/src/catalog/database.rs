//! The catalog in the database: reads the current one, and calls `publish_catalog()`.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::config::{Database, Schema};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::stripe_state::StripeState;
use super::{Catalog, Pack, Plan, price_spec};

/// The current plans and packs, in the form that was published.
const CURRENT: &str = "
    select jsonb_build_object(
      'plans', (
        select coalesce(jsonb_agg(
          to_jsonb(v) - '{version,digest,created_at}'::text[] || jsonb_build_object('prices', (
            select coalesce(jsonb_agg(to_jsonb(p) - '{plan,version}'::text[]), '[]')
            from {schema}.pricing_plan_prices p
            where p.plan = v.plan and p.version = v.version
          ))
        ), '[]')
        from {schema}.current_plans c
        join {schema}.pricing_plan_versions v on v.plan = c.plan and v.version = c.version
      ),
      'packs', (
        select coalesce(jsonb_agg(to_jsonb(v) - '{version,digest,created_at}'::text[]), '[]')
        from {schema}.current_packs c
        join {schema}.credit_pack_versions v on v.pack = c.pack and v.version = c.version
      )
    )";

pub(super) async fn connect(database: &Database) -> anyhow::Result<Client> {
    shared::adapters::postgres::connect(database).await.context("cannot connect to Postgres")
}

pub(super) async fn current(client: &Client, schema: &Schema) -> anyhow::Result<Value> {
    let sql = CURRENT.replace("{schema}", schema.as_str());
    let row = client.query_typed_one(&sql, &[]).await.map_err(explain)?;
    Ok(row.get(0))
}

/// Publishes a catalog in the form of [`published`].
pub(super) async fn publish(
    client: &Client,
    schema: &Schema,
    published: &Value,
    now: Timestamp,
) -> anyhow::Result<()> {
    let sql = format!("select {schema}.publish_catalog($1, $2)");
    let params: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
        &[(published, Type::JSONB), (&now, Type::TIMESTAMPTZ)];
    client.query_typed_one(&sql, params).await.map(drop).map_err(explain)
}

/// The catalog as the argument of `publish_catalog()`. The id of a price that does not exist yet is
/// null.
pub(super) fn published(catalog: &Catalog, states: &BTreeMap<String, StripeState>) -> Value {
    json!({
        "plans": catalog.plans.iter().map(|it| plan(catalog, it, states)).collect::<Vec<_>>(),
        "packs": catalog.packs.iter().map(|it| pack(catalog, it, states)).collect::<Vec<_>>(),
    })
}

fn plan(catalog: &Catalog, plan: &Plan, states: &BTreeMap<String, StripeState>) -> Value {
    let prices = plan.prices.iter().map(|(interval, price)| {
        let state = states.get(&catalog.plan_lookup_key(&plan.key, *interval));
        json!({
            "interval": price_spec::interval_name(*interval),
            "currency": price.currency,
            "amount_minor": price.amount_minor,
            "currency_amounts": price.currency_amounts,
            "per_seat": plan.per_seat,
            "stripe_product_id": state.map(|state| &state.product_id),
            "stripe_price_id": state.and_then(|state| state.price_id.as_ref()),
        })
    });
    json!({
        "plan": plan.key,
        "name": plan.name,
        "description": plan.description,
        "rank": plan.rank,
        "trial_days": plan.trial_days,
        "is_default": plan.is_default,
        "is_listed": plan.is_listed,
        "past_due_grace_days": plan.past_due_grace_days,
        "history_keep_days": plan.history.keep_days,
        "history_max_entries": plan.history.max_entries,
        "features": plan.features,
        "prices": prices.collect::<Vec<_>>(),
    })
}

fn pack(catalog: &Catalog, pack: &Pack, states: &BTreeMap<String, StripeState>) -> Value {
    let state = states.get(&catalog.pack_lookup_key(&pack.key));
    json!({
        "pack": pack.key,
        "name": pack.name,
        "description": pack.description,
        "rank": pack.rank,
        "unit": pack.unit,
        "credits": pack.credits,
        "expires_after_days": pack.expires_after_days,
        "max_quantity": pack.max_quantity,
        "promotion_codes": pack.promotion_codes,
        "currency": pack.price.currency,
        "amount_minor": pack.price.amount_minor,
        "currency_amounts": pack.price.currency_amounts,
        "stripe_product_id": state.map(|state| &state.product_id),
        "stripe_price_id": state.and_then(|state| state.price_id.as_ref()),
    })
}

fn explain(error: tokio_postgres::Error) -> anyhow::Error {
    let Some(database) = error.as_db_error() else { return error.into() };
    let (code, message) = (database.code().code(), database.message());
    match code {
        "42P01" | "42883" | "3F000" => anyhow!("{message} ({code}): run `farebox migrate` first"),
        "42501" => anyhow!("{message} ({code}): set DIRECT_URL to the owner's login"),
        _ => anyhow!("{message} ({code})"),
    }
}
