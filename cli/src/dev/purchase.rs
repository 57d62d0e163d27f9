//! Looks up a checkout session for the success page, in Farebox's own tables.

use std::time::Duration;

use anyhow::Context as _;
use dev_pages::Notice;
use dev_pages::format::{day, money};
use dev_pages::parts::{self, facts, id};
use maud::{Markup, html};
use serde_json::Value;
use shared::config::Database;
use stripe_simulator::Simulator;
use tokio::time::timeout;
use tokio_postgres::types::Type;

/// How long the page waits for the webhooks of a payment that has just been made.
const WEBHOOK_LIMIT: Duration = Duration::from_secs(2);

/// The purchases of the local stack.
#[derive(Clone, Debug)]
pub struct Purchases {
    database: Database,
    simulator: Option<Simulator>,
}

/// A checkout session as the page shows it.
#[derive(Debug)]
pub struct Shown {
    pub notice: Notice,
    pub details: Markup,
}

impl Purchases {
    pub fn new(database: Database, simulator: Option<Simulator>) -> Self {
        Self { database, simulator }
    }

    /// Looks up a session, after the webhooks that are on their way.
    pub async fn look_up(&self, session: &str) -> Shown {
        if let Some(simulator) = &self.simulator {
            // A webhook that takes longer shows in the status.
            let _ = timeout(WEBHOOK_LIMIT, simulator.delivered()).await;
        }
        match self.find(session).await {
            Ok(Some(found)) => {
                Shown { notice: notice(session, &found), details: details(session, &found) }
            }
            Ok(None) => {
                let notice = Notice::Failed(format!("No checkout session {session}."));
                Shown { notice, details: html! {} }
            }
            Err(error) => {
                let notice = Notice::Failed(format!("The purchase cannot be shown: {error:#}."));
                Shown { notice, details: html! {} }
            }
        }
    }

    /// The session with its plan or pack and its subscription; `None` if there is no such session.
    async fn find(&self, session: &str) -> anyhow::Result<Option<Value>> {
        let client = shared::adapters::postgres::connect(&self.database)
            .await
            .context("cannot connect to Postgres")?;
        let schema = &self.database.schema;
        let sql = format!(
            "select to_jsonb(s) || jsonb_build_object(
                 'name', coalesce(p.name, c.name, s.plan, s.pack),
                 'subscription', to_jsonb(u),
                 'period_end', extract(epoch from u.current_period_end)::bigint)
             from {schema}.checkout_sessions s
             left join {schema}.pricing_plan_versions p
               on p.plan = s.plan and p.version = s.plan_version
             left join {schema}.credit_pack_versions c
               on c.pack = s.pack and c.version = s.pack_version
             left join {schema}.subscriptions u on u.id = s.subscription_id
             where s.id = $1"
        );
        let rows = client.query_typed(&sql, &[(&session, Type::TEXT)]).await;
        let rows = rows.context("cannot read the checkout session")?;
        Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value[name].as_str()
}

fn amount(value: &Value) -> Option<String> {
    Some(money(value["amount_minor"].as_i64()?, text(value, "currency")?))
}

/// Names the plan or pack with its quantity: `Pro`, `2 × 1,000 AI credits`.
fn bought(found: &Value) -> String {
    let name = text(found, "name").unwrap_or("a purchase outside the catalog");
    match found["quantity"].as_i64() {
        Some(quantity) if quantity > 1 => format!("{quantity} × {name}"),
        _ => name.to_owned(),
    }
}

/// The interval of a subscription's price.
fn per(subscription: &Value) -> &'static str {
    match text(subscription, "interval") {
        Some("weekly") => "per week",
        Some("monthly") => "per month",
        Some("quarterly") => "every 3 months",
        Some("yearly") => "per year",
        _ => "",
    }
}

fn notice(session: &str, found: &Value) -> Notice {
    let bought = bought(found);
    let paid = amount(found).unwrap_or_default();
    match (text(found, "status"), text(found, "payment_status")) {
        (Some("complete"), Some("paid")) => {
            Notice::Success(format!("Payment of {paid} succeeded: {bought}."))
        }
        (Some("complete"), Some("no_payment_required")) => {
            Notice::Success(format!("Checkout complete: {bought}. Nothing was charged."))
        }
        (Some("complete"), _) => {
            Notice::Success(format!("Payment of {paid} is processing: {bought}."))
        }
        (Some("expired"), _) => {
            Notice::Failed(format!("Checkout session {session} expired. Nothing was bought."))
        }
        _ => Notice::Failed(format!(
            "Checkout session {session} is not complete yet. Reload this page after the payment."
        )),
    }
}

fn details(session: &str, found: &Value) -> Markup {
    let subscription = &found["subscription"];
    let status = text(found, "status").unwrap_or_default();
    let payment = text(found, "payment_status").unwrap_or("unknown").replace('_', " ");
    let mut rows = vec![
        ("Bought", parts::text(&bought(found))),
        ("Total", parts::text(&amount(found).unwrap_or_default())),
        ("Status", parts::text(&format!("{status}, payment: {payment}"))),
    ];
    if let Some(status) = text(subscription, "status") {
        let price = amount(subscription).unwrap_or_default();
        let line = format!("{status}, {price} {}", per(subscription));
        rows.push(("Subscription", parts::text(line.trim_end())));
        let end = found["period_end"].as_i64().map(day);
        rows.push(("Period ends", parts::text(&end.unwrap_or_default())));
    }
    if let Some(user) = text(found, "user_id") {
        rows.push(("User ID", parts::text(user)));
    }
    rows.push(("Session", id(session)));
    html! {
        section {
            h2 { "Your purchase" }
            (facts(&rows))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(changes: &[(&str, Value)]) -> Value {
        let mut found = json!({
            "status": "complete", "payment_status": "paid", "name": "Pro", "quantity": 1,
            "amount_minor": 2_900, "currency": "usd", "user_id": "<ann>", "subscription": null,
        });
        for (name, value) in changes {
            found[*name] = value.clone();
        }
        found
    }

    #[test]
    fn the_notice_says_what_was_bought_and_its_status() {
        let success = |message: &str| Notice::Success(message.to_owned());
        for (changes, expected) in [
            (vec![], success("Payment of $29.00 succeeded: Pro.")),
            (
                vec![("payment_status", json!("no_payment_required")), ("quantity", json!(2))],
                success("Checkout complete: 2 × Pro. Nothing was charged."),
            ),
            (
                vec![("payment_status", json!("unpaid"))],
                success("Payment of $29.00 is processing: Pro."),
            ),
            (
                vec![("status", json!("expired"))],
                Notice::Failed("Checkout session cs_1 expired. Nothing was bought.".to_owned()),
            ),
        ] {
            assert_eq!(notice("cs_1", &found(&changes)), expected);
        }
        let open = notice("cs_1", &found(&[("status", json!("open"))]));
        assert!(matches!(&open, Notice::Failed(message) if message.contains("not complete yet")));
    }

    #[test]
    fn the_details_name_the_subscription() {
        let subscription = json!({
            "status": "trialing", "interval": "monthly", "amount_minor": 2_900, "currency": "usd",
        });
        let end = json!(1_795_180_445);
        let changes = [("subscription", subscription), ("period_end", end)];
        let page = details("cs_1", &found(&changes)).into_string();
        for part in ["<dd>trialing, $29.00 per month</dd>", "20 Nov 2026", "&lt;ann&gt;"] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
}
