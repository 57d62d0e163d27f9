//! Starts a private Redis or Valkey server, if the machine has one.
//!
//! It listens on a free port of 127.0.0.1 and requires a password, which is new at every start. The
//! server reads the password from stdin, so it is neither in `ps` nor on disk. Deliberately absent:
//! a replacement for machines without a server; the caller uses the engine of `upstash`.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::process::{
    ChildLog, ChildSpec, Claim, Process, Progress, capture, free_port, random_password,
};

/// Set to `engine` to ignore the machine's Redis, or to the path of a server.
const CHOICE_VARIABLE: &str = "FAREBOX_DEV_REDIS";
const NAMES: [&str; 2] = ["redis-server", "valkey-server"];
/// Package managers install servers here, and a short PATH may lack these directories.
const USUAL_PLACES: [&str; 4] =
    ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", "/opt/local/bin"];
const MINIMUM_VERSION: (u32, u32) = (6, 2);
const READY_LIMIT: Duration = Duration::from_secs(30);
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const PREVIOUS_LIMIT: Duration = Duration::from_secs(10);
const STOP_GRACE: Duration = Duration::from_secs(10);
const PORT_ATTEMPTS: usize = 5;
const POLL: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Keep the data across restarts.
    pub persist: bool,
    pub databases: u32,
}

/// A server program of a supported version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisProgram {
    pub path: PathBuf,
    /// `Redis 7.0.15` or `Valkey 8.1.4`.
    pub version: String,
}

/// A running server. Dropping it stops the server; [`RedisServer::stop`] gives it more time.
pub struct RedisServer {
    // Before `_claim`: fields drop in order, and the claim must outlive the server.
    process: Process,
    _claim: Claim,
    program: RedisProgram,
    port: u16,
    password: String,
}

impl fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisServer")
            .field("port", &self.port)
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

impl RedisServer {
    /// Returns the first Redis or Valkey of version 6.2 or later.
    pub async fn find() -> anyhow::Result<Option<RedisProgram>> {
        match env::var(CHOICE_VARIABLE).unwrap_or_default().as_str() {
            "engine" => Ok(None),
            "" => {
                for path in candidates() {
                    if let Some(program) = probe(&path).await {
                        return Ok(Some(program));
                    }
                }
                Ok(None)
            }
            path => match probe(&std::path::absolute(path)?).await {
                Some(program) => Ok(Some(program)),
                None => bail!(
                    "{CHOICE_VARIABLE} is neither `engine` nor a Redis server of version 6.2 or later: {path}"
                ),
            },
        }
    }

    /// Starts a server with its files in `dir`. Returns `None` if the machine has no Redis.
    pub async fn start(
        dir: &Path,
        options: Options,
        progress: Progress<'_>,
    ) -> anyhow::Result<Option<RedisServer>> {
        let Some(program) = RedisServer::find().await? else {
            progress("found no redis-server or valkey-server 6.2 or later");
            return Ok(None);
        };
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let claim = Claim::take(dir).await?;
        let password = random_password()?;
        let (process, port) = start_server(dir, &program, options, &password).await?;
        Ok(Some(RedisServer { process, _claim: claim, program, port, password }))
    }

    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    pub fn describe(&self) -> String {
        format!("{} from {}", self.program.version, self.program.path.display())
    }

    /// Lets the server write its data, then shuts it down.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.process.stop(Signal::SIGTERM, STOP_GRACE).await?;
        Ok(())
    }
}

fn candidates() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> =
        env::split_paths(&path).chain(USUAL_PLACES.map(PathBuf::from)).collect();
    NAMES
        .iter()
        .flat_map(|name| dirs.iter().map(move |dir| dir.join(name)))
        .filter(|path| path.is_file())
        .collect()
}

async fn probe(path: &Path) -> Option<RedisProgram> {
    let output = capture(path, &["--version"], Path::new("/"), None).await.ok()?;
    let (name, number) = parse_version(&String::from_utf8_lossy(&output.stdout))?;
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (parts.next()?, parts.next()?);
    (version >= MINIMUM_VERSION)
        .then(|| RedisProgram { path: path.to_owned(), version: format!("{name} {number}") })
}

/// Parses `Redis server v=7.0.15 sha=… malloc=… bits=64 build=…`, and Valkey's line.
fn parse_version(line: &str) -> Option<(String, String)> {
    let (name, rest) = line.split_once(" server v=")?;
    let number = rest.split_whitespace().next()?;
    Some((name.trim().to_owned(), number.to_owned()))
}

async fn start_server(
    dir: &Path,
    program: &RedisProgram,
    options: Options,
    password: &str,
) -> anyhow::Result<(Process, u16)> {
    for _ in 0..PORT_ATTEMPTS {
        let port = free_port()?;
        let mut process = Process::spawn(ChildSpec {
            program: program.path.clone(),
            args: vec![OsString::from("-")],
            envs: vec![("LC_ALL", "C".to_owned())],
            cwd: dir.to_owned(),
            run_as: None,
            log: ChildLog::open(&dir.join("redis.log"), PREVIOUS_LIMIT).await?,
            stdin: Some(configuration(options, port, password)),
            // Without persistence there is no data to lose; with it, Redis writes its data first.
            death_signal: if options.persist { Signal::SIGTERM } else { Signal::SIGKILL },
        })?;
        match wait_until_ready(&mut process, port, password).await? {
            None => return Ok((process, port)),
            Some(_) if process.lost_its_port() => continue,
            Some(status) => {
                bail!("Redis exited during its start ({status}); {}", process.log_tail())
            }
        }
    }
    bail!("{PORT_ATTEMPTS} free ports in a row were taken before Redis could listen on them")
}

fn configuration(options: Options, port: u16, password: &str) -> String {
    let persistence =
        if options.persist { "appendonly yes\nappendfsync everysec\n" } else { "appendonly no\n" };
    format!(
        "bind 127.0.0.1\n\
         port {port}\n\
         protected-mode yes\n\
         requirepass {password}\n\
         databases {}\n\
         daemonize no\n\
         dir .\n\
         save \"\"\n\
         {persistence}",
        options.databases
    )
}

/// Returns `None` once the server answers, or its exit status if it ends first.
async fn wait_until_ready(
    process: &mut Process,
    port: u16,
    password: &str,
) -> anyhow::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + READY_LIMIT;
    loop {
        let ready =
            matches!(tokio::time::timeout(ANSWER_LIMIT, pings(port, password)).await, Ok(Ok(true)));
        if let Some(status) = process.try_wait()? {
            return Ok(Some(status));
        }
        if ready {
            return Ok(None);
        }
        if Instant::now() >= deadline {
            bail!("Redis is not ready after {READY_LIMIT:?}; {}", process.log_tail());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Returns true if the server accepts the password and has loaded its data.
async fn pings(port: u16, password: &str) -> std::io::Result<bool> {
    const READY: &[u8] = b"+OK\r\n+PONG\r\n";
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(format!("AUTH {password}\r\nPING\r\n").as_bytes()).await?;
    let mut answer = [0; READY.len()];
    stream.read_exact(&mut answer).await?;
    Ok(answer == READY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_the_server_prints_is_parsed() {
        let redis =
            "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d\n";
        assert_eq!(parse_version(redis), Some(("Redis".to_owned(), "7.0.15".to_owned())));
        let valkey = "Valkey server v=8.1.4 sha=00000000:0 malloc=libc bits=64 build=1\n";
        assert_eq!(parse_version(valkey), Some(("Valkey".to_owned(), "8.1.4".to_owned())));
        assert_eq!(parse_version("zsh: not found\n"), None);
    }

    #[test]
    fn a_server_without_persistence_writes_no_file() {
        let text = configuration(Options { persist: false, databases: 4 }, 7000, "secret");
        assert!(
            text.contains("appendonly no\n")
                && text.contains("save \"\"\n")
                && text.contains("databases 4\n")
        );
    }
}
