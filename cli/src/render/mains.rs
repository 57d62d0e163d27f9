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
    /// True if some of its plans limit the number of functions. Such a host also gets one function
    /// for most routes.
    pub(super) is_capped: bool,
}

pub(super) const HOSTS: [Host; 2] = [
    Host { folder: "api", prefix: "vercel", is_capped: true },
    Host { folder: "functions", prefix: "lambda", is_capped: false },
];

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
        let rows = table.iter().filter(|endpoint| !has_own_function(endpoint));
        let rows: String = rows
            .map(|endpoint| format!("        &shared::endpoints::{},\n", constant(endpoint)))
            .collect();
        let text = format!(
            "//! Every route that people and apps call, in one function, for plans that cap the number of\n\
             //! functions. The platform makes no function of a file whose name begins with `_`.\n\n\
             fn main() -> std::process::ExitCode {{\n    \
                 {folder}::serve_all(&[\n{rows}    ])\n\
             }}\n"
        );
        files.push(Rendered { path: format!("{folder}/_app.rs").into(), text });
    }
    files
}

fn constant(endpoint: &Endpoint) -> String {
    endpoint.name.replace('-', "_").to_uppercase()
}

/// Returns whether an endpoint has a function of its own on a plan that caps their number: webhooks
/// and jobs, whose e-mails and comparisons with Stripe would make the function of the other routes
/// too large.
pub(super) fn has_own_function(endpoint: &Endpoint) -> bool {
    matches!(endpoint.access, Access::Stripe | Access::Cron)
}

pub(super) fn manifest(root: &Path, host: Host, table: &[&Endpoint]) -> anyhow::Result<Rendered> {
    let path = Path::new(host.folder).join("Cargo.toml");
    let current = fs::read_to_string(root.join(&path))
        .with_context(|| format!("cannot read {}", path.display()))?;
    let own = current.split(MARK).next().unwrap_or_default().trim_end();
    let mut text = format!("{own}\n\n{MARK}");
    let bins = table.iter().map(|endpoint| (endpoint.name, endpoint.file()));
    let app = host.is_capped.then_some(("app", "_app"));
    for (name, file) in bins.chain(app) {
        let prefix = host.prefix;
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[[bin]]\nname = \"{prefix}-{name}\"\npath = \"{file}.rs\"\ntest = false\n"
        );
    }
    Ok(Rendered { path, text })
}
