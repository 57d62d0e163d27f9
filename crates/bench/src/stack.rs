//! The local stack that the measured functions call. This process serves it.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use dev_services::postgres;
use farebox::dev::{Local, Settings, catalog};
use farebox::server;
use jiff::Timestamp;
use shared::clock::Clock;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::report::Report;
use crate::sql;

pub struct Stack {
    pub dir: PathBuf,
    local: Local,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<anyhow::Result<()>>,
}

/// Settings that load pg_stat_statements, but leave it off until a session turns it on.
const COUNTERS: [(&str, &str); 3] = [
    ("shared_preload_libraries", "pg_stat_statements"),
    ("pg_stat_statements.track", "none"),
    ("compute_query_id", "off"),
];

impl Stack {
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(postgres::Options::default()).await
    }

    /// Starts a stack whose Postgres can count statements, if pg_stat_statements is installed.
    pub async fn start_counting() -> anyhow::Result<Self> {
        let extra_settings = COUNTERS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let options =
            postgres::Options { extra_settings: extra_settings.into(), ..Default::default() };
        match Self::start_with(options).await {
            Ok(stack) => Ok(stack),
            Err(error) => {
                eprintln!("starting again, without pg_stat_statements: {error:#}");
                Self::start().await
            }
        }
    }

    async fn start_with(options: postgres::Options) -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("farebox-bench-{}", std::process::id()));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let local =
            Local::start_with(&dir, &base, &Clock::default(), options, &|line| eprintln!("{line}"))
                .await?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server::serve(listener, local.router()?, async {
            let _ = stopped.await;
        }));
        Ok(Self { dir, local, stop, serving })
    }

    /// Publishes the demo catalog.
    pub async fn sell(&mut self) -> anyhow::Result<()> {
        self.local.sell(&catalog::read(None)?, false, Timestamp::now()).await
    }

    /// Measures, stops the stack and prints the report. A run that fails or is asked to stop prints
    /// the figures that it has.
    pub async fn report(
        mut self,
        measure: impl AsyncFnOnce(&mut Self, &mut Report) -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
        let mut report = Report::default();
        let measured = tokio::select! {
            measured = measure(&mut self, &mut report) => measured,
            () = server::stop_signal() => Err(anyhow!("asked to stop")),
        };
        report.print(&self.stop().await?)?;
        measured.map(|()| ExitCode::SUCCESS)
    }

    /// The settings of a function. `encrypted` requires TLS to Postgres.
    pub fn settings(&self, encrypted: bool) -> Settings {
        let mut settings = self.local.settings.clone();
        if let Some(url) = settings.get_mut("DATABASE_URL").filter(|_| encrypted) {
            *url = url.replace("sslmode=disable", "sslmode=require");
        }
        settings
    }

    /// The database's URL as the cluster's superuser. `None` if the environment names another
    /// Postgres.
    pub fn superuser_url(&self) -> Option<String> {
        self.superuser_url_of("farebox")
    }

    /// Creates an empty database in Farebox's cluster, and returns its URL as the superuser.
    pub async fn create_database(&self, name: &str) -> anyhow::Result<String> {
        let missing = "the environment names another Postgres, where bench creates no database";
        let url = self.superuser_url().context(missing)?;
        let superuser = sql::connect_to(&url).await?;
        superuser.query_typed(&format!("create database {name}"), &[]).await?;
        self.superuser_url_of(name).context(missing)
    }

    fn superuser_url_of(&self, database: &str) -> Option<String> {
        let postgres = self.local.postgres()?;
        Some(postgres.superuser_url(database) + "?sslmode=disable")
    }

    /// The service key of a trusted server.
    pub fn service_key(&self) -> &str {
        &self.local.secrets.service_key
    }

    /// Stops every service, and returns a line that describes each.
    pub async fn stop(self) -> anyhow::Result<Vec<String>> {
        let described = self.local.described.clone();
        drop(self.stop);
        self.serving.await??;
        self.local.stop().await?;
        fs::remove_dir_all(&self.dir).context("cannot remove the stack's data")?;
        Ok(described)
    }
}
