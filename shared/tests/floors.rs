//! Checks the floors of `src/`: a module imports only from floors below its own.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors, from the top down. Modules on the same floor do not import each other.
const FLOORS: [&[&str]; 11] = [
    &["openapi"],
    &["endpoints"],
    &["http"],
    &["billing", "companion"],
    &["app"],
    &["auth"],
    &["background"],
    &["adapters"],
    &["config"],
    &["domain"],
    &["clock", "log"],
];

/// Words that a module may not use, besides imports from above. Adapters may use statuses: those of
/// the services that they call.
const BANNED: [(&str, &[&str]); 8] = [
    ("app", &["StatusCode"]),
    ("auth", &["StatusCode"]),
    ("background", &["StatusCode"]),
    ("billing", &["StatusCode"]),
    ("companion", &["StatusCode"]),
    ("config", &["StatusCode", "Timestamp::now", "SystemTime"]),
    ("log", &["StatusCode"]),
    (
        "domain",
        &[
            "StatusCode",
            "axum::",
            "hyper::",
            "tokio::",
            "std::env",
            "std::fs",
            "std::net::Tcp",
            "Timestamp::now",
            "SystemTime",
            "Instant::now",
        ],
    ),
];

#[test]
fn imports_only_go_down() {
    let mut problems = Vec::new();
    for path in sources(&src()) {
        let text = fs::read_to_string(&path).unwrap();
        problems.extend(upward(&module_of(&path), &text).map(|import| {
            format!("{} imports crate::{import}", path.strip_prefix(src()).unwrap().display())
        }));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_module_has_a_floor() {
    let modules =
        sources(&src()).into_iter().map(|path| module_of(&path)).filter(|name| name != "lib");
    let modules: BTreeSet<String> = modules.collect();
    let listed = FLOORS.concat().into_iter().map(str::to_owned).collect();
    assert_eq!(modules, listed);
}

#[test]
fn only_http_knows_statuses_and_domain_does_no_io() {
    for path in sources(&src()) {
        let module = module_of(&path);
        let text = code(&fs::read_to_string(&path).unwrap());
        for (_, words) in BANNED.iter().filter(|(floor, _)| *floor == module) {
            for word in *words {
                assert!(!text.contains(word), "{} uses {word}", path.display());
            }
        }
    }
}

#[test]
fn an_upward_import_is_detected() {
    let found = |module: &str, text: &str| upward(module, text).collect::<Vec<_>>();
    assert_eq!(found("domain", "use crate::adapters::redis::Redis;"), ["adapters"]);
    assert_eq!(found("companion", "use crate::billing::checkout;"), ["billing"]);
    assert_eq!(found("billing", "let status = crate::http::problem::status(code);"), ["http"]);
    assert_eq!(found("app", "use crate::{config, endpoints};"), ["endpoints"]);
    assert_eq!(found("app", "use crate::{config::{A, B}, endpoints};"), ["endpoints"]);
    assert_eq!(found("http", "use crate::lobby::Door;"), ["lobby"]);
    assert!(found("endpoints", "use crate::http::User;\n// crate::openapi").is_empty());
}

/// The imports of a module from its own floor, from a floor above, or from a module without a
/// floor.
fn upward<'a>(module: &'a str, text: &str) -> impl Iterator<Item = String> + use<'a> {
    let floor = |name: &str| FLOORS.iter().position(|floor| floor.contains(&name));
    let own = floor(module);
    let imports = imports(&code(text)).into_iter();
    imports.filter(move |name| name != module && own.is_some() && floor(name) <= own)
}

/// The modules named after `crate::`, including those in groups.
fn imports(code: &str) -> Vec<String> {
    code.split("crate::").skip(1).flat_map(firsts).collect()
}

/// The first word of a path, or of each path in a group in braces.
fn firsts(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        let word =
            path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        return if word.is_empty() { Vec::new() } else { vec![word] };
    };
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.extend(firsts(group[start..at].trim()));
                return found;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.extend(firsts(group[start..at].trim()));
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn module_of(path: &Path) -> String {
    let first = path.strip_prefix(src()).unwrap().components().next().unwrap();
    Path::new(&first).file_stem().unwrap().to_str().unwrap().to_owned()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|it| it == "rs"));
    files.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}
