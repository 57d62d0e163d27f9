//! The local stack that the measured functions call, served by this process.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::Context as _;
use farebox::dev::{Local, Settings, catalog, token};
use farebox::server;
use jiff::Timestamp;
use shared::clock::Clock;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub struct Stack {
    pub dir: PathBuf,
    local: Local,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl Stack {
    pub async fn start() -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("farebox-bench-{}", std::process::id()));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let local =
            Local::start(&dir, &base, &Clock::default(), &|line| eprintln!("{line}")).await?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server::serve(listener, local.router(), async {
            let _ = stopped.await;
        }));
        Ok(Self { dir, local, stop, serving })
    }

    /// Starts a stack with the demo's catalog.
    pub async fn sell(&mut self) -> anyhow::Result<()> {
        self.local.sell(&catalog::read(None)?, false, Timestamp::now()).await
    }

    /// `encrypted` requires TLS to Postgres.
    pub fn settings(&self, encrypted: bool) -> Settings {
        let mut settings = self.local.settings.clone();
        if let Some(url) = settings.get_mut("DATABASE_URL").filter(|_| encrypted) {
            *url = url.replace("sslmode=disable", "sslmode=require");
        }
        settings
    }

    /// The key of a trusted server.
    pub fn service_key(&self) -> &str {
        &self.local.secrets.service_key
    }

    /// A new user for each run, so that no run reaches a limit.
    pub fn token(&self, run: u32) -> anyhow::Result<String> {
        token::for_user(&self.local.settings, &format!("bench-{run}"), None, Timestamp::now())
    }

    /// The file for the log of a function's process.
    pub fn log(&self) -> anyhow::Result<File> {
        File::create(self.log_path()).context("cannot create a function's log")
    }

    pub fn what_it_said(&self, binary: &str) -> String {
        let log = fs::read_to_string(self.log_path()).unwrap_or_default();
        format!("{binary} did not start and answer; its log: {log}")
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

    fn log_path(&self) -> PathBuf {
        self.dir.join("function.log")
    }
}
