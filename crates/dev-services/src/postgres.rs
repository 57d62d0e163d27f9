//! Starts a private Postgres cluster. The first start creates it in a directory. The server stops
//! when this process ends.
//!
//! It listens on a free port of 127.0.0.1 and has no unix socket. It requires a random password,
//! because other users of the machine can reach that port too. Deliberately absent: replication,
//! upgrades of a cluster to another major version, and connections to a server that already runs.

mod binaries;
mod cluster;
mod home;
mod npm;

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;
use tokio_postgres::NoTls;

use self::binaries::Binaries;
use self::home::Home;
use crate::process::{ChildSpec, Process, Progress, free_port};

/// The only role of a new cluster.
const SUPERUSER: &str = "postgres";
const READY_LIMIT: Duration = Duration::from_secs(30);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const STOP_GRACE: Duration = Duration::from_secs(15);
const PORT_ATTEMPTS: usize = 5;
const POLL: Duration = Duration::from_millis(20);

#[derive(Debug, Clone)]
pub struct Options {
    /// False is faster and loses data when the machine crashes. For tests.
    pub durable: bool,
    pub max_connections: u32,
    /// Further settings, as for `postgres -c`; they override this module's.
    pub extra_settings: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Options {
        Options { durable: true, max_connections: 100, extra_settings: Vec::new() }
    }
}

/// A running cluster. Dropping it stops the server; [`Postgres::stop`] gives it more time.
pub struct Postgres {
    // Before `home`: fields drop in order, and the claim on the directory must outlive its server.
    process: Process,
    home: Home,
    binaries: Binaries,
    port: u16,
    password: String,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("port", &self.port)
            .field("home", &self.home.dir)
            .finish_non_exhaustive()
    }
}

impl Postgres {
    /// Starts the cluster in `dir`, and creates it first if it does not exist.
    pub async fn start(
        dir: &Path,
        options: Options,
        progress: Progress<'_>,
    ) -> anyhow::Result<Postgres> {
        let home = Home::settle(dir, progress).await?;
        cluster::end_previous(&home, progress).await?;
        let binaries = Binaries::find(&home, cluster::major_version(&home)?, progress).await?;
        let password = cluster::create_once(&home, &binaries, options.durable, progress).await?;
        let (process, port) = start_server(&home, &binaries, &options, &password).await?;
        Ok(Postgres { process, home, binaries, port, password })
    }

    /// Removes the cluster in `dir`, if there is one. The next start creates an empty one.
    pub async fn remove(dir: &Path, progress: Progress<'_>) -> anyhow::Result<()> {
        let home = Home::settle(dir, progress).await?;
        cluster::end_previous(&home, progress).await?;
        cluster::remove(&home)
    }

    pub fn superuser_url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    /// The directory of the cluster, which may differ from the requested one (`home.rs`).
    pub fn dir(&self) -> &Path {
        &self.home.dir
    }

    pub fn describe(&self) -> String {
        format!("PostgreSQL {} from {}", self.binaries.version.text, self.binaries.bin.display())
    }

    /// Ends every session and shuts down cleanly.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.process.stop(Signal::SIGINT, STOP_GRACE).await?;
        Ok(())
    }
}

async fn start_server(
    home: &Home,
    binaries: &Binaries,
    options: &Options,
    password: &str,
) -> anyhow::Result<(Process, u16)> {
    for _ in 0..PORT_ATTEMPTS {
        let port = free_port()?;
        let mut process = Process::spawn(ChildSpec {
            program: binaries.bin.join("postgres"),
            args: server_args(home, options, port),
            envs: cluster::child_envs(),
            cwd: home.dir.clone(),
            run_as: home.run_as,
            log: cluster::open_log(home).await?,
            stdin: None,
            death_signal: Signal::SIGINT,
        })?;
        match wait_until_ready(&mut process, port, password).await? {
            None => return Ok((process, port)),
            Some(_) if process.lost_its_port() => continue,
            Some(status) => {
                bail!("Postgres exited during its start ({status}); {}", process.log_tail())
            }
        }
    }
    bail!("{PORT_ATTEMPTS} free ports in a row were taken before Postgres could listen on them")
}

/// Returns `None` once the server answers, or its exit status if it ends first.
async fn wait_until_ready(
    process: &mut Process,
    port: u16,
    password: &str,
) -> anyhow::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + READY_LIMIT;
    loop {
        let answer = tokio::time::timeout(CONNECT_LIMIT, select_one(port, password)).await;
        // Checked after the answer: only our own server accepts this password.
        if let Some(status) = process.try_wait()? {
            return Ok(Some(status));
        }
        match answer {
            Ok(Ok(())) => return Ok(None),
            Ok(Err(error)) if Instant::now() >= deadline => {
                let tail = process.log_tail();
                return Err(error).with_context(|| {
                    format!("Postgres is not ready after {READY_LIMIT:?}; {tail}")
                });
            }
            Err(_) if Instant::now() >= deadline => {
                bail!("Postgres does not answer after {READY_LIMIT:?}; {}", process.log_tail());
            }
            _ => tokio::time::sleep(POLL).await,
        }
    }
}

async fn select_one(port: u16, password: &str) -> Result<(), tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).user(SUPERUSER).password(password).dbname("postgres");
    let (client, connection) = config.connect(NoTls).await?;
    // Ends when the client is dropped below.
    tokio::spawn(connection);
    client.query_typed("select 1", &[]).await?;
    Ok(())
}

fn server_args(home: &Home, options: &Options, port: u16) -> Vec<OsString> {
    let mut settings = vec![
        ("listen_addresses".to_owned(), "127.0.0.1".to_owned()),
        ("port".to_owned(), port.to_string()),
        ("unix_socket_directories".to_owned(), String::new()),
        ("max_connections".to_owned(), options.max_connections.to_string()),
        ("timezone".to_owned(), "UTC".to_owned()),
        ("log_timezone".to_owned(), "UTC".to_owned()),
    ];
    if !options.durable {
        for name in ["fsync", "synchronous_commit", "full_page_writes"] {
            settings.push((name.to_owned(), "off".to_owned()));
        }
    }
    settings.extend(options.extra_settings.iter().cloned());

    let mut args = vec![OsString::from("-D"), home.data().into_os_string()];
    for (name, value) in settings {
        args.push(OsString::from("-c"));
        args.push(OsString::from(format!("{name}={value}")));
    }
    args
}
