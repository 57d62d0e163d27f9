//! An empty database and an empty Stripe account, with small catalogs to push to both.

use std::path::Path;

use farebox::catalog::{Catalog, Changes, Ids, Stripe, plan_changes, publish};
use jiff::Timestamp;
use serde_json::Value;
use shared::config::Database;
use tokio_postgres::Client;

use super::stripe;
use crate::support::{Stack, settings};

/// One plan, one pack, and the free plan.
pub const SMALL: &str = r#"
[product]
key = "small"
name = "Small"
currency = "usd"

[features]
letters = { type = "metered", unit = "letter", reset = "month" }
stamps = { type = "credits", unit = "stamp" }

[plans.free]
name = "Free"
default = true
features = { letters = 5 }

[plans.pro]
name = "Pro"
description = "All you can write."
trial_days = 14
prices = { monthly = { amount = 999, currencies = { eur = 899 } }, yearly = 9_590 }
features = { letters = "unlimited", stamps = 2 }

[packs.ten]
name = "Ten stamps"
unit = "stamp"
credits = 10
amount = 500
"#;

pub fn catalog(text: &str) -> Catalog {
    Catalog::read("small.toml", text, &Ids::Taken(&|_| None)).unwrap()
}

/// A catalog of the repository, without the app's Stripe ids.
pub fn of_app(name: &str) -> Catalog {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join(format!("catalogs/{name}.toml"))).unwrap();
    Catalog::read(name, &text, &Ids::Ignored).unwrap()
}

pub struct Shop {
    pub database: Database,
    pub app_database: Database,
    pub url: String,
    pub stripe: Stripe,
}

impl Shop {
    pub async fn new() -> Self {
        let urls = Stack::start().await.database().await;
        let url = stripe::start().await;
        Self {
            database: settings(&urls.owner),
            app_database: settings(&urls.app),
            stripe: stripe::client(&url),
            url,
        }
    }

    pub async fn plan_changes<'a>(&self, catalog: &'a Catalog) -> anyhow::Result<Changes<'a>> {
        plan_changes(catalog, &self.database, &self.stripe).await
    }

    pub async fn push<'a>(&self, catalog: &'a Catalog) -> anyhow::Result<Changes<'a>> {
        publish(catalog, &self.database, &self.stripe, Timestamp::UNIX_EPOCH).await
    }

    /// The error with which a push of this text is refused.
    pub async fn refusal(&self, text: &str) -> String {
        format!("{:#}", self.push(&catalog(text)).await.unwrap_err())
    }

    pub async fn owner(&self) -> Client {
        shared::adapters::postgres::connect(&self.database).await.unwrap()
    }

    /// The rows of a query, each as JSON.
    pub async fn rows(&self, sql: &str) -> Vec<Value> {
        let sql = format!("select to_jsonb(row) from ({sql}) row");
        let rows = self.owner().await.query_typed(&sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}
