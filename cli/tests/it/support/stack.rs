use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use dev_services::postgres::{self, Postgres};
use dev_services::redis::{self, RedisServer};
use dev_services::upstash::Backend;
use farebox::dev::database::{self, Passwords, Urls};
use farebox::migrate::{self, Files};
use serde_json::Value;
use shared::config::{Database, Schema, Secret};
use tokio::sync::OnceCell;
use tokio_postgres::Client;

const PASSWORD: &str = "for-tests-alone";
const PASSWORDS: Passwords<'_> = Passwords { app: PASSWORD, owner: PASSWORD };
const TEMPLATE: &str = "farebox_template";
const REDIS_DATABASES: u32 = 2_000;

/// The servers that the tests of this process share. They end with the process.
pub struct Stack {
    postgres: Postgres,
    redis: Option<RedisServer>,
    next: AtomicU32,
    _claim: File,
}

static STACK: OnceCell<Stack> = OnceCell::const_new();

impl Stack {
    pub async fn start() -> &'static Self {
        STACK.get_or_init(Self::start_once).await
    }

    async fn start_once() -> Self {
        let (dir, claim) = claim_directory();
        let quiet = |_: &str| {};
        let options =
            postgres::Options { durable: false, max_connections: 500, extra_settings: Vec::new() };
        let cluster = dir.join("postgres");
        let postgres = match Postgres::start(&cluster, options.clone(), &quiet).await {
            Ok(postgres) => postgres,
            // Another version of Postgres created it, and it has no data worth keeping.
            Err(_) => {
                std::fs::remove_dir_all(&cluster).unwrap();
                Postgres::start(&cluster, options, &quiet).await.unwrap()
            }
        };
        let options = redis::Options { persist: false, databases: REDIS_DATABASES };
        let redis = RedisServer::start(&dir.join("redis"), options, &quiet).await.unwrap();
        let stack = Self { postgres, redis, next: AtomicU32::new(0), _claim: claim };
        stack.drop_databases().await;
        let urls = database::create(&stack.postgres, TEMPLATE, PASSWORDS).await.unwrap();
        migrate::run(&settings(&urls.owner), &Files::embedded()).await.unwrap();
        database::allow_login(&stack.postgres, TEMPLATE, PASSWORD).await.unwrap();
        stack
    }

    /// Drops the databases of earlier runs in this cluster.
    async fn drop_databases(&self) {
        let client = self.superuser("postgres").await;
        let ours = "select datname::text from pg_database where datname like 'farebox%'";
        for row in client.query_typed(ours, &[]).await.unwrap() {
            let name: String = row.get(0);
            execute(&client, &format!("drop database {name} with (force)")).await;
        }
    }

    /// A migrated database for one test.
    pub async fn database(&self) -> Urls {
        let name = self.new_name();
        let client = self.superuser("postgres").await;
        let owner = "owner farebox_owner strategy file_copy";
        execute(&client, &format!("create database {name} template {TEMPLATE} {owner}")).await;
        self.urls(&name)
    }

    /// An empty database.
    pub async fn empty_database(&self) -> Urls {
        let name = self.new_name();
        let client = self.superuser("postgres").await;
        execute(&client, &format!("create database {name} owner farebox_owner")).await;
        self.urls(&name)
    }

    fn new_name(&self) -> String {
        format!("farebox_test_{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn urls(&self, name: &str) -> Urls {
        let at = format!("{PASSWORD}@127.0.0.1:{}/{name}?sslmode=disable", self.postgres.port());
        Urls {
            app: format!("postgres://farebox:{at}"),
            owner: format!("postgres://farebox_owner:{at}"),
        }
    }

    pub async fn superuser(&self, database: &str) -> Client {
        let url = self.postgres.superuser_url(database) + "?sslmode=disable";
        shared::adapters::postgres::connect(&settings(&url)).await.unwrap()
    }

    pub fn postgres_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.postgres.port()))
    }

    /// An empty Redis.
    pub fn redis(&self) -> Backend {
        let Some(server) = &self.redis else { return Backend::in_process(None).unwrap() };
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let database = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(database < REDIS_DATABASES, "more tests than Redis databases");
        Backend::redis(server.addr().to_string(), server.password(), database)
    }
}

/// The connection settings of an operator's tool.
pub fn settings(url: &str) -> Database {
    Database {
        url: Secret::new(url),
        ca_certificate: None,
        pool_size: None,
        schema: Schema::default(),
    }
}

/// The tables that a call scans sequentially and reads more than `rows` rows of, with their number.
/// The call is rolled back.
pub async fn scans(client: &Client, call: &str, rows: i64) -> Value {
    execute(client, "begin").await;
    execute(client, call).await;
    let scanned = format!(
        "select coalesce(jsonb_object_agg(relname, seq_tup_read), '{{}}')
         from pg_stat_xact_user_tables
         where seq_tup_read > {rows}"
    );
    let found = client.query_typed_one(&scanned, &[]).await.unwrap().get(0);
    execute(client, "rollback").await;
    found
}

/// Runs statements without parameters, as in psql.
#[expect(clippy::disallowed_methods, reason = "a direct connection")]
pub async fn execute(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

/// The first directory that no other test process uses. Clusters are reused by later runs.
fn claim_directory() -> (PathBuf, File) {
    let base = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    (0..)
        .find_map(|number| {
            let dir = base.join(format!("stack-{number}"));
            std::fs::create_dir_all(&dir).unwrap();
            let claim = File::create(dir.join("claim")).unwrap();
            claim.try_lock().ok().map(|()| (dir, claim))
        })
        .unwrap()
}
