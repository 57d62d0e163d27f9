//! Opens connections. It accepts the URLs that Neon, Supabase, Vercel and Prisma provide, and
//! replaces connections that were lost while they were idle.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Metrics, Pool, QueueMode,
    RecyclingMethod, Runtime,
};
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use super::{PostgresError, STATEMENT_TIME};
use crate::adapters::tls;
use crate::config;

/// The maximum idle time of a connection. Network gateways forget idle connections after about six
/// minutes, without telling either end.
const MAX_IDLE: Duration = Duration::from_mins(5);
/// A connection that was idle for longer than this is checked before its next use.
const CHECK_AFTER: Duration = Duration::from_secs(2);
/// The time limit of a check, which is one round trip.
const CHECK_TIME: Duration = Duration::from_millis(500);

/// The time limit of a connection attempt. A suspended serverless database takes about a second to
/// start.
const CONNECT_TIME: Duration = Duration::from_secs(3);
/// The time limit for a free connection of the pool.
const WAIT_TIME: Duration = STATEMENT_TIME;

pub(super) fn pool(config: &config::Database, size: usize) -> Result<Pool, PostgresError> {
    let connection = connection_config(config.url.expose())?;
    let recycling_method = RecyclingMethod::Fast;
    let manager_config = ManagerConfig { recycling_method };
    let manager = if connection.get_ssl_mode() == SslMode::Disable {
        Manager::from_config(connection, tokio_postgres::NoTls, manager_config)
    } else {
        Manager::from_config(connection, tls_connect(config)?, manager_config)
    };
    let idle_check = Arc::new(IdleCheck::default());
    let check = Hook::async_fn(move |client: &mut ClientWrapper, metrics| {
        let idle_check = Arc::clone(&idle_check);
        Box::pin(async move { idle_check.run(client, metrics).await })
    });
    Pool::builder(manager)
        .max_size(size)
        // The connection that was used last: its server process has cached the plans of Farebox's
        // functions.
        .queue_mode(QueueMode::Lifo)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(WAIT_TIME))
        .create_timeout(Some(CONNECT_TIME))
        .recycle_timeout(Some(CONNECT_TIME))
        .pre_recycle(check)
        .build()
        .map_err(PostgresError::unexpected)
}

/// Finds connections that were lost while they were idle: the function was frozen, the server
/// restarted, or the network forgot the connection and neither end knows.
///
/// The check sends no statement, so a write that follows it on another connection is sent once.
#[derive(Default)]
struct IdleCheck {
    failed_at: Mutex<Option<Instant>>,
}

impl IdleCheck {
    async fn run(&self, client: &Client, metrics: &Metrics) -> Result<(), HookError> {
        let last_used = metrics.recycled.unwrap_or(metrics.created);
        let idle = last_used.elapsed();
        if idle <= CHECK_AFTER {
            return Ok(());
        }
        // Connections that were idle when a check failed are probably lost too. Without this rule a
        // call would wait for each of them in turn.
        if idle > MAX_IDLE || *self.failed_at() > Some(last_used) {
            return Err(HookError::message("idle for too long"));
        }
        if matches!(timeout(CHECK_TIME, client.check_connection()).await, Ok(Ok(()))) {
            return Ok(());
        }
        *self.failed_at() = Some(Instant::now());
        Err(HookError::message("lost while idle"))
    }

    fn failed_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.failed_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a connection outside the pool, for operators' tools. They may use session state.
pub async fn connect(config: &config::Database) -> Result<Client, PostgresError> {
    let connection = connection_config(config.url.expose())?;
    let connecting = async {
        if connection.get_ssl_mode() == SslMode::Disable {
            let connected = connection.connect(tokio_postgres::NoTls).await;
            let (client, driver) = connected.map_err(PostgresError::unavailable)?;
            tokio::spawn(driver);
            Ok(client)
        } else {
            let connected = connection.connect(tls_connect(config)?).await;
            let (client, driver) = connected.map_err(PostgresError::unavailable)?;
            tokio::spawn(driver);
            Ok(client)
        }
    };
    timeout(CONNECT_TIME, connecting).await.map_err(PostgresError::unavailable)?
}

fn tls_connect(config: &config::Database) -> Result<MakeRustlsConnect, PostgresError> {
    let tls =
        tls::client_config(config.ca_certificate.as_deref()).map_err(PostgresError::unexpected)?;
    Ok(MakeRustlsConnect::new(tls))
}

/// Parses a connection URL. Keeps only the parameters that Farebox uses.
///
/// TLS is required unless the URL sets another `sslmode` or the server is local. Certificates are
/// verified with every `sslmode`, so `verify-ca` and `verify-full` mean the same as `require`.
/// Parameters for other clients (`pgbouncer`, `connection_limit`, `schema`, `options` ...) are
/// dropped.
pub fn connection_config(url: &str) -> Result<tokio_postgres::Config, PostgresError> {
    let mut url = Url::parse(url).map_err(PostgresError::unexpected)?;
    let mut kept = Vec::new();
    for (name, value) in url.query_pairs() {
        let value = match (&*name, &*value) {
            ("sslmode", "verify-ca" | "verify-full") => "require".to_owned(),
            ("sslmode", "allow") => "prefer".to_owned(),
            ("sslmode", mode @ ("disable" | "prefer" | "require")) => mode.to_owned(),
            ("channel_binding" | "application_name" | "connect_timeout", value) => value.to_owned(),
            _ => continue,
        };
        kept.push((name.into_owned(), value));
    }
    let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if !is_local && !kept.iter().any(|(name, _)| name == "sslmode") {
        kept.push(("sslmode".to_owned(), "require".to_owned()));
    }
    url.query_pairs_mut().clear().extend_pairs(kept);
    url.as_str().parse().map_err(PostgresError::unexpected)
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::{ChannelBinding, SslMode};

    use super::connection_config;

    #[test]
    fn urls_of_providers_are_accepted() {
        for (url, mode) in [
            ("postgres://u:p@h/db", SslMode::Require),
            ("postgres://u:p@127.0.0.1/db", SslMode::Prefer),
            ("postgres://u:p@h/db?sslmode=prefer", SslMode::Prefer),
            (
                "postgresql://u:p%40@h.neon.example/db?sslmode=require&channel_binding=require",
                SslMode::Require,
            ),
            (
                "postgres://u.ref:p@h:6543/postgres?pgbouncer=true&connection_limit=1",
                SslMode::Require,
            ),
            (
                "postgres://u:p@h/db?schema=public&pool_timeout=0&sslmode=verify-full",
                SslMode::Require,
            ),
            (
                "postgres://u:p@h/db?sslmode=require&supa=base-pooler.x&options=endpoint%3Dx",
                SslMode::Require,
            ),
            ("postgres://u:p@h/db?sslmode=disable&statement_cache_size=0", SslMode::Disable),
        ] {
            assert_eq!(connection_config(url).unwrap().get_ssl_mode(), mode, "{url}");
        }
    }

    #[test]
    fn a_password_and_channel_binding_are_kept() {
        let url = "postgres://u:p%40ss@h/db?channel_binding=require&pgbouncer=true";
        let config = connection_config(url).unwrap();
        assert_eq!(config.get_password(), Some(&b"p@ss"[..]));
        assert_eq!(config.get_channel_binding(), ChannelBinding::Require);
        assert_eq!(config.get_options(), None);
    }
}
