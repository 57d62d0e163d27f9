//! A database in a private cluster, with the two roles of a deployment: an owner for migrations,
//! and a login for the functions, which owns no table and does not bypass Row Level Security. Each
//! role has its own password.

use anyhow::Context as _;
use shared::config::{Database, Schema, Secret};
use tokio_postgres::Client;

use dev_services::postgres::Postgres;

const OWNER: &str = "farebox_owner";
const LOGIN: &str = "farebox";

/// The URL of a database for each role.
#[derive(Clone, Debug)]
pub struct Urls {
    pub app: String,
    pub owner: String,
}

/// The roles' passwords.
#[derive(Clone, Copy)]
pub struct Passwords<'a> {
    pub app: &'a str,
    pub owner: &'a str,
}

impl std::fmt::Debug for Passwords<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Creates the owner and the database if they are missing. The owner may create roles, which the
/// first migration does, until [`demote_owner`].
pub async fn create(
    postgres: &Postgres,
    name: &str,
    passwords: Passwords<'_>,
) -> anyhow::Result<Urls> {
    let client = superuser(postgres, "postgres").await?;
    role(&client, OWNER, &format!("login createrole password '{}'", passwords.owner)).await?;
    let found = client
        .query_typed(
            "select from pg_database where datname = $1",
            &[(&name, tokio_postgres::types::Type::TEXT)],
        )
        .await?;
    if found.is_empty() {
        execute(&client, &format!("create database {name} owner {OWNER}")).await?;
    }
    let port = postgres.port();
    let url = |role: &str, password: &str| {
        format!("postgres://{role}:{password}@127.0.0.1:{port}/{name}?sslmode=disable")
    };
    Ok(Urls { app: url(LOGIN, passwords.app), owner: url(OWNER, passwords.owner) })
}

/// Creates the functions' login, as docs/SETUP.md does. The first migration creates the role that
/// it belongs to.
pub async fn allow_login(postgres: &Postgres, name: &str, password: &str) -> anyhow::Result<()> {
    let client = superuser(postgres, name).await?;
    role(&client, LOGIN, &format!("login password '{password}'")).await?;
    let settings = format!(
        "grant farebox_app to {LOGIN};
         alter role {LOGIN} set statement_timeout to '5s'"
    );
    execute(&client, &settings).await
}

/// Revokes the owner's right to create roles, which only migrations need.
pub async fn demote_owner(postgres: &Postgres) -> anyhow::Result<()> {
    let client = superuser(postgres, "postgres").await?;
    execute(&client, &format!("alter role {OWNER} nosuperuser nocreaterole nocreatedb")).await
}

async fn role(client: &Client, name: &str, attributes: &str) -> anyhow::Result<()> {
    execute(
        client,
        &format!(
            "do $$
             begin
               create role {name};
             exception
               when duplicate_object or unique_violation then null;
             end
             $$;
             alter role {name} {attributes}"
        ),
    )
    .await
}

async fn superuser(postgres: &Postgres, database: &str) -> anyhow::Result<Client> {
    let config = Database {
        url: Secret::new(postgres.superuser_url(database) + "?sslmode=disable"),
        ca_certificate: None,
        pool_size: None,
        schema: Schema::default(),
    };
    shared::adapters::postgres::connect(&config)
        .await
        .context("cannot connect to the private cluster")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a direct connection, for statements without parameters"
)]
async fn execute(client: &Client, sql: &str) -> anyhow::Result<()> {
    client.batch_execute(sql).await.context("cannot prepare the private cluster")
}
