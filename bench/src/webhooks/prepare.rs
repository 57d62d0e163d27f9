//! What is there before anything is measured: customers with a subscription each.

use std::path::PathBuf;

use anyhow::Context as _;
use farebox::local::Settings;
use shared::config;
use tokio_postgres::Client;

/// Customers of whom Stripe tells, the events it told of before, and the scripts.
const STORE: &str = include_str!("store.sql");
const TOOLS: &str = include_str!("tools.sql");
const BARE: &str = "
\\set n random(1, 1000000000)
insert into bench.bare (id, kind, created_at, processed_at)
values (gen_random_uuid(), 'an.event', now(), :n);
";
const EVENT: &str = "select apply_event(bench.event(nextval('bench.events')), now());\n";

pub struct Database {
    pub dir: PathBuf,
    pub owner_url: String,
    owner: Client,
}

impl Database {
    pub async fn prepare(settings: &Settings, dir: &std::path::Path) -> anyhow::Result<Self> {
        let owner_url =
            settings.get("DIRECT_URL").context("the stack has no database of its own")?;
        let vars = |name: &str| match name {
            "DATABASE_URL" => Some(owner_url.clone()),
            name => settings.get(name).cloned(),
        };
        let owner = shared::store::connect(&config::Database::from_vars(vars)?).await?;
        let (dir, owner_url) = (dir.to_owned(), owner_url.clone());
        std::fs::write(dir.join("bare.sql"), BARE).context("cannot write a script")?;
        std::fs::write(dir.join("event.sql"), EVENT).context("cannot write a script")?;
        let database = Self { dir, owner_url, owner };
        database.execute(TOOLS).await?;
        Ok(database)
    }

    /// Has so many customers from that number on.
    pub async fn store(&self, from: u32, to: u32) -> anyhow::Result<()> {
        eprintln!("storing customers {from} to {to}");
        let sql = STORE.replace("{from}", &from.to_string()).replace("{to}", &to.to_string());
        self.execute(&sql).await
    }

    /// The price that they all pay.
    pub async fn price(&self) -> anyhow::Result<(String, String)> {
        let sql = "select stripe_price_id, stripe_product_id from bench.price";
        let row = self.owner.query_typed_one(sql, &[]).await?;
        Ok((row.get(0), row.get(1)))
    }

    #[expect(clippy::disallowed_methods, reason = "a direct connection, and many statements")]
    async fn execute(&self, sql: &str) -> anyhow::Result<()> {
        self.owner.batch_execute(sql).await.context("cannot prepare the database")
    }
}
