//! Rules for the source code of the whole workspace.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

const MAX_LINES: usize = 400;

/// Folders without source code of the workspace.
const SKIPPED: [&str; 3] = ["node_modules", "target", "vendor"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust file of the workspace.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                files.extend(rust_files(&path));
            }
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let files = rust_files(&root());
    assert!(files.len() > 500, "the walk found {} files", files.len());
    for file in files {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines: split it", file.display());
    }
}

/// The folders with which the paths in documents begin.
const TOP_FOLDERS: [&str; 11] = [
    "api/",
    "cli/",
    "crates/",
    "deploy/",
    "docs/",
    "functions/",
    "fuzz/",
    "migrations/",
    "shared/",
    "vendor/",
    "web/",
];

const DOCUMENTS: [&str; 7] = [
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "docs/ARCHITECTURE.md",
    "docs/OPERATIONS.md",
    "docs/PERFORMANCE.md",
    "docs/SETUP.md",
];

/// Returns true if the code is the path of one file: it has no wildcard and no placeholder.
fn is_path(code: &str) -> bool {
    TOP_FOLDERS.iter().any(|folder| code.starts_with(folder))
        && !code.contains(['*', '<', '{', ' ', '…'])
        && !code.contains("NAME")
        && !code.contains("NNNN")
}

#[test]
fn every_path_that_a_document_names_exists() {
    let mut found = 0;
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let in_backticks = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        for path in in_backticks.filter(|code| is_path(code)) {
            found += 1;
            if !root().join(path).exists() {
                missing.push(format!("{document} names {path}"));
            }
        }
    }
    assert!(found > 50, "only {found} paths");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
