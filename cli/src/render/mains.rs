//! Renders the mains: one file per endpoint and host, and their `[[bin]]` entries.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use shared::http::{Access, Endpoint};

use super::Rendered;

/// A platform that runs each endpoint as a separate function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Host {
    pub(super) folder: &'static str,
    /// The prefix of each binary's name. Names must be unique in the workspace.
    pub(super) prefix: &'static str,
    /// True if some of its plans limit the number of functions. Such a host also gets a function for
    /// each group of routes.
    pub(super) is_capped: bool,
}

pub(super) const HOSTS: [Host; 2] = [
    Host { folder: "api", prefix: "vercel", is_capped: true },
    Host { folder: "functions", prefix: "lambda", is_capped: false },
];

/// The length of a line for rustfmt.
const LINE: usize = 100;

/// The part of a manifest after this line is rendered.
const MARK: &str = "# From here on rendered from the endpoint table: run `farebox render`.\n";

pub(super) fn files(host: Host, table: &[&Endpoint]) -> Vec<Rendered> {
    let folder = host.folder;
    let mut files: Vec<Rendered> = table
        .iter()
        .map(|endpoint| {
            let methods: Vec<_> = endpoint.methods.iter().map(|method| method.as_str()).collect();
            let (methods, path) = (methods.join(", "), endpoint.path);
            let constant = constant(endpoint);
            let text = format!(
                "//! {methods} {path}\n\n\
                 fn main() -> std::process::ExitCode {{\n    \
                     {folder}::serve(&shared::endpoints::{constant})\n\
                 }}\n"
            );
            Rendered { path: format!("{folder}/{}.rs", endpoint.file()).into(), text }
        })
        .collect();
    if host.is_capped {
        files.extend(GROUPS.iter().map(|group| group_main(host, *group, table)));
    }
    files
}

fn constant(endpoint: &Endpoint) -> String {
    endpoint.name.replace('-', "_").to_uppercase()
}

/// A function with several routes, for plans that limit the number of functions. One function with
/// all routes would be too large to start fast.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Group {
    pub name: &'static str,
    about: &'static str,
}

const APP: Group = Group { name: "app", about: "The routes that people and apps call" };
const STRIPE: Group = Group { name: "stripe", about: "Checkout, the customer portal and webhooks" };
const ADMIN: Group = Group { name: "admin", about: "The operators' routes" };
const JOBS: Group = Group { name: "jobs", about: "The scheduled jobs" };

/// The first one also answers requests to unknown paths.
pub(super) const GROUPS: [Group; 4] = [APP, STRIPE, ADMIN, JOBS];

/// The group of an endpoint.
pub fn group(endpoint: &Endpoint) -> Group {
    match endpoint.access {
        Access::Cron => JOBS,
        Access::Admin => ADMIN,
        Access::Stripe => STRIPE,
        _ if endpoint.path.starts_with("/api/stripe/") => STRIPE,
        _ => APP,
    }
}

fn group_main(host: Host, group: Group, table: &[&Endpoint]) -> Rendered {
    let (folder, Group { name, about }) = (host.folder, group);
    let rows = table.iter().filter(|endpoint| self::group(endpoint) == group);
    let rows: Vec<_> = rows.map(|row| format!("&shared::endpoints::{}", constant(row))).collect();
    let on_one_line = format!("    {folder}::serve_all(&[{}])", rows.join(", "));
    let call = match on_one_line.len() <= LINE {
        true => on_one_line,
        false => {
            format!("    {folder}::serve_all(&[\n        {},\n    ])", rows.join(",\n        "))
        }
    };
    let text = format!(
        "//! {about}, in one function, for plans that limit the number of functions. Otherwise, this\n\
         //! file is not used: Vercel makes no function of a file whose name begins with `_`.\n\n\
         fn main() -> std::process::ExitCode {{\n{call}\n}}\n"
    );
    Rendered { path: format!("{folder}/_{name}.rs").into(), text }
}

pub(super) fn manifest(root: &Path, host: Host, table: &[&Endpoint]) -> anyhow::Result<Rendered> {
    let path = Path::new(host.folder).join("Cargo.toml");
    let current = fs::read_to_string(root.join(&path))
        .with_context(|| format!("cannot read {}", path.display()))?;
    let own = current.split(MARK).next().unwrap_or_default().trim_end();
    let mut text = format!("{own}\n\n{MARK}");
    let bins = table.iter().map(|endpoint| (endpoint.name.to_owned(), endpoint.file().to_owned()));
    let groups = GROUPS.iter().filter(|_| host.is_capped);
    let groups = groups.map(|group| (group.name.to_owned(), format!("_{}", group.name)));
    for (name, file) in bins.chain(groups) {
        let prefix = host.prefix;
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[[bin]]\nname = \"{prefix}-{name}\"\npath = \"{file}.rs\"\ntest = false\n"
        );
    }
    Ok(Rendered { path, text })
}
