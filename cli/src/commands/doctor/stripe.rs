//! Checks Stripe: that the key works, the catalog's prices exist, and a webhook secret is set.

use farebox::terminal::checks::CheckReport;
use shared::app::App;
use shared::domain::object::flag;
use stripe_client_core::StripeRequest as _;
use stripe_product::price::{ListPrice, RetrievePrice};

use super::with_causes;

/// A price of the published catalog, which must exist in Stripe.
struct OnSale {
    name: String,
    price: String,
}

pub(super) async fn check(app: &App, has_tables: bool, report: &mut CheckReport) {
    let mode = if app.config.stripe.is_live() { "live" } else { "test" };
    match app.stripe.send(&ListPrice::new().limit(1).build()).await {
        Ok(_) => report.passed("stripe", format!("the key works, in {mode} mode")),
        Err(error) => {
            let fix = "Check STRIPE_SECRET_KEY. A restricted key needs permission to read prices.";
            report.failed("stripe", error.in_words(), fix);
            return check_webhook(app, report);
        }
    }
    if !has_tables {
        report.skipped("catalog", "Farebox's tables cannot be read");
        return check_webhook(app, report);
    }
    match check_prices(app).await {
        Ok(0) => report.failed(
            "catalog",
            "no catalog is published, so nothing can be bought",
            "Run `farebox catalog push FILE` with the database owner's DIRECT_URL.",
        ),
        Ok(prices) => report.passed("catalog", format!("Stripe has all {prices} prices")),
        Err(error) => {
            let fix = "Run `farebox catalog push FILE`.";
            report.failed("catalog", format!("{error:#}"), fix);
        }
    }
    check_webhook(app, report);
}

fn check_webhook(app: &App, report: &mut CheckReport) {
    match app.config.stripe.webhook_secrets.len() {
        0 => {
            let fix =
                "Set STRIPE_WEBHOOK_SECRET to the whsec_... of the webhook endpoint at Stripe.";
            report.failed("webhook", "no secret is set, so every event is refused", fix);
        }
        1 => report.passed("webhook", "a secret is set"),
        some => report.passed("webhook", format!("{some} secrets are set")),
    }
}

/// Checks that Stripe has every price, and returns their number.
async fn check_prices(app: &App) -> anyhow::Result<usize> {
    let on_sale = on_sale(app).await?;
    let mut missing = Vec::new();
    for OnSale { name, price } in &on_sale {
        match app.stripe.send(&RetrievePrice::new(price.as_str()).build()).await {
            Ok(found) if flag(&found.object, "active") => {}
            Ok(_) => missing.push(format!("{price} of {name} is archived")),
            Err(error) if error.refusal().is_some() => {
                missing.push(format!("{price} of {name} does not exist"));
            }
            Err(error) => return Err(anyhow::anyhow!(error.in_words())),
        }
    }
    anyhow::ensure!(missing.is_empty(), "{}", missing.join(", "));
    Ok(on_sale.len())
}

async fn on_sale(app: &App) -> anyhow::Result<Vec<OnSale>> {
    let database = &app.config.database;
    let client = shared::adapters::postgres::connect(database).await.map_err(with_causes)?;
    let schema = &database.schema;
    let query = format!(
        "select plan || ' ' || \"interval\", stripe_price_id
         from {schema}.pricing_plans
         union all
         select pack, stripe_price_id
         from {schema}.credit_packs
         order by 1"
    );
    let rows = client.query_typed(&query, &[]).await?;
    Ok(rows.iter().map(|row| OnSale { name: row.get(0), price: row.get(1) }).collect())
}
