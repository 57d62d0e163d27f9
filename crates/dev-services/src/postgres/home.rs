//! Chooses the directory of a cluster and the user that it runs as.
//!
//! Postgres refuses to run as root, which is the user of many containers. The server then runs as
//! an ordinary user. If that user cannot reach the requested directory (it is below a home
//! directory of mode 700, for example), the cluster goes to `/var/tmp`, under a name derived from
//! the requested directory, so that the next run finds it.
//!
//! This user still owns the directory. Only `data` and `password` get the server's user as owner.

use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use nix::unistd::{Gid, Uid, User, chown, geteuid};
use ring::digest::{SHA256, digest};

use crate::process::{Claim, Progress, RunAs, capture, hex};

const FALLBACK_PARENT: &str = "/var/tmp";
/// Tried in this order when this process runs as root.
const ORDINARY_USERS: [&str; 2] = ["postgres", "nobody"];

#[derive(Debug)]
pub(super) struct Home {
    pub(super) dir: PathBuf,
    pub(super) run_as: Option<RunAs>,
    _claim: Claim,
}

impl Home {
    pub(super) async fn settle(wanted: &Path, progress: Progress<'_>) -> anyhow::Result<Home> {
        fs::create_dir_all(wanted).with_context(|| format!("cannot make {}", wanted.display()))?;
        let wanted = wanted
            .canonicalize()
            .with_context(|| format!("cannot resolve {}", wanted.display()))?;
        let (dir, run_as) = if geteuid().is_root() {
            let (dir, run_as) = place_for_ordinary_user(&wanted, progress).await?;
            (dir, Some(run_as))
        } else {
            (wanted, None)
        };
        let claim = Claim::take(&dir).await?;
        Ok(Home { dir, run_as, _claim: claim })
    }

    pub(super) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub(super) fn password_file(&self) -> PathBuf {
        self.dir.join("password")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("postgres.log")
    }

    /// Makes the server's user the owner of a path.
    pub(super) fn chown_to_server(&self, path: &Path) -> anyhow::Result<()> {
        self.run_as.map_or(Ok(()), |run_as| give_to(path, run_as))
    }
}

async fn place_for_ordinary_user(
    wanted: &Path,
    progress: Progress<'_>,
) -> anyhow::Result<(PathBuf, RunAs)> {
    let ordinary = ordinary_user()?;
    if let Some(run_as) = usable_by(wanted, ordinary).await? {
        return Ok((wanted.to_owned(), run_as));
    }
    let fallback = Path::new(FALLBACK_PARENT).join(format!("farebox-{}", short_hash(wanted)));
    make_trusted_dir(&fallback)?;
    let Some(run_as) = usable_by(&fallback, ordinary).await? else {
        bail!(
            "Postgres must not run as root, and the user it would run as (uid {}) can use neither {} nor {}: \
             run farebox as an ordinary user",
            ordinary.uid,
            wanted.display(),
            fallback.display()
        );
    };
    progress(&format!(
        "Postgres does not run as root, and the user it runs as cannot reach {}: its data is in {}",
        wanted.display(),
        fallback.display()
    ));
    Ok((fallback, run_as))
}

fn ordinary_user() -> anyhow::Result<RunAs> {
    for name in ORDINARY_USERS {
        if let Some(user) =
            User::from_name(name).with_context(|| format!("cannot look up the user {name}"))?
        {
            return Ok(RunAs { uid: user.uid.as_raw(), gid: user.gid.as_raw() });
        }
    }
    bail!(
        "Postgres must not run as root, and there is no user `postgres` or `nobody`: run farebox as an ordinary user"
    )
}

/// Returns the user that can run a cluster in `dir`, if there is one: the owner of an existing
/// cluster, or `ordinary`. Tests access as that user, because mode bits ignore access lists, user
/// namespaces and file systems that cannot change owners.
async fn usable_by(dir: &Path, ordinary: RunAs) -> anyhow::Result<Option<RunAs>> {
    let mode = fs::metadata(dir)?.permissions().mode();
    if mode & 0o011 != 0o011 {
        fs::set_permissions(dir, Permissions::from_mode(mode | 0o011))
            .with_context(|| format!("cannot make {} passable", dir.display()))?;
    }
    if let Ok(data) = fs::metadata(dir.join("data"))
        && data.uid() != 0
    {
        let owner = RunAs { uid: data.uid(), gid: data.gid() };
        return Ok(can_write(&dir.join("data"), owner).await.then_some(owner));
    }

    let probe = dir.join(format!("probe-{}", std::process::id()));
    if let Err(error) = fs::create_dir(&probe)
        && error.kind() != ErrorKind::AlreadyExists
    {
        return Err(error).with_context(|| format!("cannot make {}", probe.display()));
    }
    let usable = give_to(&probe, ordinary).is_ok() && can_write(&probe, ordinary).await;
    fs::remove_dir(&probe).with_context(|| format!("cannot remove {}", probe.display()))?;
    Ok(usable.then_some(ordinary))
}

/// The child changes its user before it enters `dir`, so an unreachable directory fails here.
async fn can_write(dir: &Path, run_as: RunAs) -> bool {
    capture(Path::new("/bin/sh"), &["-c", "test -w ."], dir, Some(run_as))
        .await
        .is_ok_and(|output| output.status.success())
}

fn give_to(path: &Path, run_as: RunAs) -> anyhow::Result<()> {
    chown(path, Some(Uid::from_raw(run_as.uid)), Some(Gid::from_raw(run_as.gid)))
        .with_context(|| format!("cannot give {} to uid {}", path.display(), run_as.uid))
}

/// Creates a directory in `/var/tmp`, where every user can create files. An existing directory must
/// therefore belong to this user, and must not be a link.
fn make_trusted_dir(dir: &Path) -> anyhow::Result<()> {
    match DirBuilder::new().mode(0o711).create(dir) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("cannot make {}", dir.display())),
    }
    let found =
        fs::symlink_metadata(dir).with_context(|| format!("cannot look at {}", dir.display()))?;
    if !found.is_dir() || found.uid() != geteuid().as_raw() || found.mode() & 0o022 != 0 {
        bail!("{} belongs to another user or others can change it: remove it", dir.display());
    }
    Ok(())
}

fn short_hash(path: &Path) -> String {
    let digest = digest(&SHA256, path.as_os_str().as_encoded_bytes());
    hex(&digest.as_ref()[..6])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_keeps_its_fallback_name() {
        assert_eq!(short_hash(Path::new("/a")), short_hash(Path::new("/a")));
        assert_ne!(short_hash(Path::new("/a")), short_hash(Path::new("/b")));
        assert_eq!(short_hash(Path::new("/a")).len(), 12);
    }
}
