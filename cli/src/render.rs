//! `farebox render`: generates files from the endpoint table, and one from the migrated database.
//!
//! The files are committed, so that people can read and review them. A test compares them with the
//! output of this module.

mod lambda;
mod mains;
pub mod prisma;
mod readme;
mod typescript;
mod vercel;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
pub use lambda::function_id;
pub use mains::{Group, group};
use shared::endpoints;

/// A file, with its path relative to the repository's root.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rendered {
    pub path: PathBuf,
    pub text: String,
}

/// Renders every file that needs no database. In some files only a part is rendered; the rest is read from `root`.
pub fn all(root: &Path) -> anyhow::Result<Vec<Rendered>> {
    let table = endpoints::ALL;
    let document = shared::openapi::document();
    let openapi = serde_json::to_string_pretty(&document)? + "\n";
    let mut files = vec![
        Rendered { path: "docs/openapi.json".into(), text: openapi },
        Rendered { path: "docs/farebox.d.ts".into(), text: typescript::declarations(&document) },
        Rendered { path: "vercel.json".into(), text: vercel::config(table)? },
        Rendered { path: "deploy/vercel.app.json".into(), text: vercel::app_config(table)? },
        Rendered { path: "template.yaml".into(), text: lambda::template(table)? },
    ];
    files.push(readme::file(root)?);
    for host in mains::HOSTS {
        files.push(mains::manifest(root, host, table)?);
        files.extend(mains::files(host, table));
    }
    Ok(files)
}

/// Writes the files that differ, and returns their paths.
pub fn write(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for Rendered { path, text } in all(root)? {
        let target = root.join(&path);
        if fs::read_to_string(&target).is_ok_and(|current| current == text) {
            continue;
        }
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&target, text).with_context(|| format!("cannot write {}", target.display()))?;
        written.push(path);
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_files_match_the_endpoint_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for Rendered { path, text } in all(&root).unwrap() {
            let committed = fs::read_to_string(root.join(&path)).unwrap_or_default();
            assert!(committed == text, "{} is out of date: run `farebox render`", path.display());
        }
    }

    /// A main without a row in the endpoint table would be deployed without an access policy.
    #[test]
    fn every_main_has_a_row() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let rendered: Vec<_> =
            all(&root).unwrap().into_iter().map(|file| root.join(file.path)).collect();
        for host in mains::HOSTS {
            for file in rust_files(&root.join(host.folder)) {
                let name = file.file_name().unwrap().to_str().unwrap();
                let own = name.starts_with('_');
                assert!(own || rendered.contains(&file), "{} has no row", file.display());
            }
        }
    }

    fn rust_files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries
            .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
            .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
            .collect()
    }
}
