//! The local stack: finds or starts the services that Farebox needs, and provides their settings.
//!
//! If the environment names a service, as `DATABASE_URL` or `UPSTASH_REDIS_REST_URL`, that service
//! is used. The others are dev services: they keep their data in one directory and end with this
//! process.

pub mod browser;
pub mod catalog;
pub mod control;
pub mod database;
pub mod log;
pub mod outbox;
pub mod own_hosts;
pub mod page;
mod purchase;
pub mod reset;
pub mod running;
pub mod schedule;
mod secrets;
pub mod sql_clock;
pub mod start_clock;
pub mod token;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use axum::Router;
use shared::clock::Clock;
use shared::config::{Config, Database};

use crate::migrate::{self, Files};
use dev_pages::{Link, with_links};
use dev_services::mail::Mail;
use dev_services::postgres::{self, Postgres};
use dev_services::process::{Claim, Progress};
use dev_services::redis::{self, RedisServer};
use dev_services::upstash::{self, Backend, Tokens};
use stripe_simulator::{self as stripe, Simulator, Target};

pub use running::{DATA, Running, running, start_command};
pub use secrets::Secrets;

/// The path of the Redis front.
pub const UPSTASH_PATH: &str = "/upstash";

/// The path of the Stripe webhook.
const WEBHOOK_PATH: &str = "/api/stripe/webhook";

/// The number of messages that `/mail` keeps.
const KEPT_MAIL: usize = 200;

/// Settings by name, as a function reads them from its environment.
pub type Settings = BTreeMap<String, String>;

/// A running stack.
pub struct Local {
    pub settings: Settings,
    /// One line for each service: its name and its address.
    pub described: Vec<String>,
    pub secrets: Secrets,
    base: String,
    dir: PathBuf,
    postgres: Option<Postgres>,
    redis: Option<RedisServer>,
    front: Option<Backend>,
    stripe: Option<Simulator>,
    mail: Option<Mail>,
    // Last: fields drop in order, and the claim must outlive the services.
    _claim: Claim,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Local {
    /// Starts the missing services. `base` is this process's address, such as
    /// `http://127.0.0.1:3000`. All services share `clock`, which is moved to the last time of the
    /// Stripe simulator.
    pub async fn start(
        dir: &Path,
        base: &str,
        clock: &Clock,
        progress: Progress<'_>,
    ) -> anyhow::Result<Self> {
        Self::start_with(dir, base, clock, postgres::Options::default(), progress).await
    }

    /// Like [`Local::start`], with options for a Postgres that is a dev service.
    pub async fn start_with(
        dir: &Path,
        base: &str,
        clock: &Clock,
        options: postgres::Options,
        progress: Progress<'_>,
    ) -> anyhow::Result<Self> {
        create_private(dir)?;
        let claim = Claim::take(dir).await?;
        // The settings file must exist only while a stack is running.
        remove_settings(dir)?;
        let secrets = Secrets::keep_in(dir)?;
        let given = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut local = Self {
            settings: secrets.settings(base),
            described: Vec::new(),
            secrets,
            base: base.to_owned(),
            dir: dir.to_owned(),
            postgres: None,
            redis: None,
            front: None,
            stripe: None,
            mail: None,
            _claim: claim,
        };
        for setting in shared::config::SETTINGS {
            let value = given(setting.name).or_else(|| setting.alias.and_then(given));
            let Some(value) = value else { continue };
            let is_list = ["SERVICE_KEYS", "ALLOWED_ORIGINS"].contains(&setting.name);
            let own = local.settings.get(setting.name).filter(|_| is_list);
            // The stack's own keys and pages keep working in addition to those of the environment.
            let value = own.map_or(value.clone(), |own| format!("{value},{own}"));
            local.settings.insert(setting.name.to_owned(), value);
        }
        let (postgres, redis) =
            tokio::try_join!(local.start_postgres(options, progress), local.start_redis(progress))?;
        local.adopt_postgres(postgres).await?;
        local.adopt_redis(redis, base)?;
        local.adopt_stripe(base, clock).await?;
        // The simulator has moved the clock to its last time.
        sql_clock::set(&local.owned_database()?, clock).await?;
        local.adopt_mail(base).await?;
        Ok(local)
    }

    async fn start_postgres(
        &self,
        options: postgres::Options,
        progress: Progress<'_>,
    ) -> anyhow::Result<Option<Postgres>> {
        if self.settings.contains_key("DATABASE_URL") {
            return Ok(None);
        }
        let dir = self.dir.join("postgres");
        Ok(Some(Postgres::start(&dir, options, progress).await?))
    }

    async fn start_redis(&self, progress: Progress<'_>) -> anyhow::Result<Option<RedisServer>> {
        if self.settings.contains_key("UPSTASH_REDIS_REST_URL") {
            return Ok(None);
        }
        let options = redis::Options { persist: true, databases: 16 };
        RedisServer::start(&self.dir.join("redis"), options, progress).await
    }

    /// Creates the database, its roles and its tables, and adds them to the settings.
    async fn adopt_postgres(&mut self, postgres: Option<Postgres>) -> anyhow::Result<()> {
        let Some(postgres) = postgres else {
            self.described.push("Postgres  from DATABASE_URL".to_owned());
            let direct =
                ["DIRECT_URL", "DATABASE_URL_UNPOOLED"].map(|name| std::env::var(name).ok());
            if let Some(direct) = direct.into_iter().flatten().find(|url| !url.is_empty()) {
                self.settings.insert("DIRECT_URL".to_owned(), direct);
            }
            return self.migrate().await;
        };
        let passwords = database::Passwords {
            app: &self.secrets.database_password,
            owner: &self.secrets.database_owner_password,
        };
        let urls = database::create(&postgres, "farebox", passwords).await?;
        self.settings.insert("DATABASE_URL".to_owned(), urls.app);
        self.settings.insert("DIRECT_URL".to_owned(), urls.owner);
        self.migrate().await?;
        database::allow_login(&postgres, "farebox", passwords.app).await?;
        database::demote_owner(&postgres).await?;
        let port = postgres.port();
        self.described.push(format!("Postgres  127.0.0.1:{port}, {}", postgres.describe()));
        self.postgres = Some(postgres);
        Ok(())
    }

    async fn migrate(&self) -> anyhow::Result<()> {
        migrate::run(&self.owned_database()?, &Files::embedded()).await.map(drop)
    }

    fn owned_database(&self) -> anyhow::Result<Database> {
        running::owned_database(&self.settings)
    }

    fn adopt_redis(&mut self, redis: Option<RedisServer>, base: &str) -> anyhow::Result<()> {
        if self.settings.contains_key("UPSTASH_REDIS_REST_URL") {
            self.described.push("Redis     from UPSTASH_REDIS_REST_URL".to_owned());
            return Ok(());
        }
        let url = format!("{base}{UPSTASH_PATH}");
        let (backend, described) = match &redis {
            Some(server) => {
                let described = format!("{} behind {url}", server.describe());
                (Backend::redis(server.addr().to_string(), server.password(), 0), described)
            }
            None => {
                let snapshot = self.dir.join("redis.snapshot");
                let described = format!("Farebox's own engine (no Redis found) behind {url}");
                (Backend::in_process(Some(snapshot))?, described)
            }
        };
        self.described.push(format!("Redis     {described}"));
        let token = self.secrets.redis_token.clone();
        self.settings.insert("UPSTASH_REDIS_REST_URL".to_owned(), url);
        self.settings.insert("UPSTASH_REDIS_REST_TOKEN".to_owned(), token);
        self.redis = redis;
        self.front = Some(backend);
        Ok(())
    }

    /// Uses Stripe if the environment has its key, and starts the simulator otherwise.
    async fn adopt_stripe(&mut self, base: &str, clock: &Clock) -> anyhow::Result<()> {
        if self.settings.contains_key("STRIPE_SECRET_KEY") {
            self.described.push("Stripe    from STRIPE_SECRET_KEY".to_owned());
            return Ok(());
        }
        let (key, secret) =
            (self.secrets.stripe_secret_key.clone(), self.secrets.stripe_webhook_secret.clone());
        let webhook = Target { url: format!("{base}{WEBHOOK_PATH}"), secret: secret.clone() };
        let options = stripe::Options {
            base: base.to_owned(),
            secret_key: key.clone(),
            webhook: Some(webhook),
            clock: stripe_simulator::Clock::with_shift(clock.shared_shift()),
            snapshot: Some(self.dir.join("stripe.json")),
            before_moving: Some(sql_clock::follow(self.owned_database()?)),
        };
        self.stripe = Some(Simulator::start(options).await?);
        for (name, value) in [
            ("STRIPE_SECRET_KEY", key),
            ("STRIPE_WEBHOOK_SECRET", secret),
            ("STRIPE_API_URL", base.to_owned()),
        ] {
            self.settings.insert(name.to_owned(), value);
        }
        let described = format!("Stripe    SIMULATOR, no money moves: {base}/simulator");
        self.described.push(described);
        Ok(())
    }

    /// Uses the mail server of the environment, or starts one that captures every message.
    async fn adopt_mail(&mut self, base: &str) -> anyhow::Result<()> {
        if self.settings.contains_key("SMTP_URL") {
            self.described.push("Mail      from SMTP_URL".to_owned());
            return Ok(());
        }
        let mail = Mail::start(KEPT_MAIL).await?;
        self.settings.insert("SMTP_URL".to_owned(), mail.url());
        let from = "Farebox <billing@farebox.example>".to_owned();
        self.settings.entry("EMAIL_FROM".to_owned()).or_insert(from);
        if self.stripe.is_some() {
            let manage_url = format!("{base}/simulator/portal");
            self.settings.entry("EMAIL_MANAGE_URL".to_owned()).or_insert(manage_url);
        }
        self.described.push(format!("Mail      captured, not delivered: {base}/mail"));
        self.mail = Some(mail);
        Ok(())
    }

    /// The configuration that a function would read from its environment. In addition, a front end
    /// on any port of this machine may call.
    pub fn config(&self) -> anyhow::Result<Config> {
        let config = Config::from_vars(|name| self.settings.get(name).cloned())?;
        let allowed_origins = config.allowed_origins.with_any_local_port();
        Ok(Config { allowed_origins, ..config })
    }

    /// The private cluster, unless the environment names another Postgres.
    pub fn postgres(&self) -> Option<&Postgres> {
        self.postgres.as_ref()
    }

    /// The routes of the dev services and the stack's own pages, which this process serves in
    /// addition to Farebox's.
    pub fn router(&self) -> anyhow::Result<Router> {
        let stripe = self.stripe.as_ref().map(Simulator::router).unwrap_or_default();
        let mail = self.mail.as_ref().map(Mail::router).unwrap_or_default();
        let home = page::router(page::Stack {
            purchases: purchase::Purchases::new(self.owned_database()?, self.stripe.clone()),
            has_simulator: self.stripe.is_some(),
            captures_mail: self.mail.is_some(),
        });
        let pages = with_links(stripe.merge(mail).merge(home), self.links());
        let Some(backend) = self.front.clone() else { return Ok(pages) };
        let tokens = Tokens {
            full: self.secrets.redis_token.clone(),
            read_only: self.secrets.redis_read_only_token.clone(),
        };
        // As a service, so that `/upstash/` works too.
        Ok(pages.nest_service(UPSTASH_PATH, upstash::router(backend, tokens)))
    }

    /// The links of the pages' navigation.
    fn links(&self) -> Vec<Link> {
        let simulator = Link { label: "Simulator", path: "/simulator" };
        let mail = Link { label: "Mail", path: "/mail" };
        let links = [
            Some(Link { label: "Home", path: page::HOME }),
            self.stripe.as_ref().map(|_| simulator),
            self.mail.as_ref().map(|_| mail),
            Some(Link { label: "API", path: page::API }),
        ];
        links.into_iter().flatten().collect()
    }

    /// Writes the settings and the services, for other commands that use this stack.
    pub fn write_settings(&self) -> anyhow::Result<()> {
        running::describe(&self.dir, &self.base, &self.described)?;
        write_private(&settings_path(&self.dir), &serde_json::to_string_pretty(&self.settings)?)
    }

    /// Stops the services in order, after each has written its data.
    pub async fn stop(self) -> anyhow::Result<()> {
        remove_settings(&self.dir)?;
        if let Some(stripe) = self.stripe {
            stripe.flush().await?;
        }
        if let Some(front) = self.front {
            front.flush().await?;
        }
        if let Some(redis) = self.redis {
            redis.stop().await?;
        }
        if let Some(postgres) = self.postgres {
            postgres.stop().await?;
        }
        Ok(())
    }
}

fn settings_path(dir: &Path) -> PathBuf {
    dir.join("settings.json")
}

fn remove_settings(dir: &Path) -> anyhow::Result<()> {
    match fs::remove_file(settings_path(dir)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("cannot remove the settings of an earlier run")
        }
        _ => Ok(()),
    }
}

fn create_private(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    // Child processes may run as another user, who must be able to enter the directory.
    let mode = fs::Permissions::from_mode(0o711);
    fs::set_permissions(dir, mode)
        .with_context(|| format!("cannot set the permissions of {}", dir.display()))
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
