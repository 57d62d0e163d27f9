//! Builds the functions with `vercel build`, and compares its output with the endpoint table.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use shared::endpoints::{self, HEALTH};
use shared::http::Endpoint;

use crate::artifacts::Artifacts;
use crate::{Selection, clone, say, tools};

/// Vercel's build image. With it, the builder uses plain cargo, as on Vercel.
const BUILD_IMAGE: &str = "al2023";

/// The configuration for plans that cap the number of functions.
const APP_CONFIG: &str = "deploy/vercel.app.json";

/// Builds with `vercel.json`: a function for each route.
pub(crate) fn build(selection: &Selection) -> anyhow::Result<Artifacts> {
    let folder = clone::fresh("vercel")?;
    if !selection.builds_everything() {
        keep_only(&selection.rows, &folder)?;
    }
    let cpu = run_builder(selection, &folder, None)?;
    let output = folder.join(".vercel/output");
    let config = read(&output.join("config.json"))?;
    let mut routes = BTreeMap::new();
    for row in &selection.rows {
        routes.insert(row.path.to_owned(), function(&output, row.file(), &limits(row))?);
    }
    let built = functions(&output.join("functions"))?;
    ensure!(
        built.len() == selection.rows.len(),
        "more functions were built than wanted: {built:?}"
    );
    check_config(&config)?;
    let published: Vec<_> = fs::read_dir(output.join("static"))?.flatten().collect();
    ensure!(published.len() == 1, "Vercel would publish {published:?}");
    say("config.json and every .vc-config.json agree with the endpoint table");
    let fallback = routes.get(HEALTH.path).filter(|_| selection.builds_everything()).cloned();
    Ok(Artifacts { routes, fallback, cpu })
}

/// Builds with `deploy/vercel.app.json`: a function for each group of routes.
pub(crate) fn build_app(selection: &Selection) -> anyhow::Result<Artifacts> {
    let folder = clone::fresh("vercel-app")?;
    let settings = read(&folder.join(APP_CONFIG))?;
    let cpu = run_builder(selection, &folder, Some(APP_CONFIG))?;
    let output = folder.join(".vercel/output");
    let crons = &read(&output.join("config.json"))?["crons"];
    ensure!(*crons == settings["crons"], "the jobs are {crons}");
    let mut executables = BTreeMap::new();
    for build in settings["builds"].as_array().context("no builds")? {
        let file = build["src"].as_str().context("a build without a file")?;
        let limits = &build["config"]["functions"][file];
        let name = file.trim_start_matches("api/");
        executables.insert(format!("/{file}"), function(&output, name, limits)?);
    }
    let built = functions(&output.join("functions"))?;
    ensure!(built.len() == executables.len(), "more functions were built than wanted: {built:?}");
    let mut routes = BTreeMap::new();
    let mut fallback = None;
    for route in settings["routes"].as_array().context("no routes")? {
        let (Some(path), Some(file)) = (route["src"].as_str(), route["dest"].as_str()) else {
            anyhow::bail!("a route is {route}")
        };
        let executable = executables.get(file).with_context(|| format!("no function {file}"))?;
        match path.contains('*') {
            true => fallback = Some(executable.clone()),
            false => drop(routes.insert(path.to_owned(), executable.clone())),
        }
    }
    say("the functions, limits and jobs are those of deploy/vercel.app.json");
    Ok(Artifacts { routes, fallback, cpu })
}

/// Removes the other functions from the clone.
fn keep_only(rows: &[&Endpoint], folder: &Path) -> anyhow::Result<()> {
    let path = folder.join("vercel.json");
    let mut config = read(&path)?;
    for row in endpoints::ALL {
        let file = format!("api/{}.rs", row.file());
        if !rows.iter().any(|kept| kept.name == row.name) {
            fs::remove_file(folder.join(&file))?;
            let functions = config["functions"].as_object_mut().context("no functions")?;
            functions.remove(&file);
        }
    }
    fs::write(path, serde_json::to_string_pretty(&config)?)?;
    Ok(())
}

/// Runs `vercel build`, and returns its processor time.
fn run_builder(
    selection: &Selection,
    folder: &Path,
    config: Option<&str>,
) -> anyhow::Result<std::time::Duration> {
    let cli = tools::vercel()?;
    let project = json!({
        "projectId": "prj_local", "orgId": "team_local", "settings": { "framework": null },
    });
    fs::create_dir_all(folder.join(".vercel"))?;
    fs::write(folder.join(".vercel/project.json"), project.to_string())?;
    let before = tools::cpu()?;
    let mut command = Command::new(cli);
    command.args(["build", "--prod", "--yes", "--standalone"]).current_dir(folder);
    command.args(config.into_iter().flat_map(|config| ["--local-config", config]));
    command.env("VERCEL_TELEMETRY_DISABLED", "1");
    match selection.with_zig {
        // zig and cargo-zigbuild are among AWS's tools.
        true => {
            command.env("PATH", tools::path_with(&tools::aws()?)).env_remove("VERCEL_BUILD_IMAGE")
        }
        false => command.env("VERCEL_BUILD_IMAGE", BUILD_IMAGE),
    };
    if let Some(config) = config {
        // `vercel deploy` takes these variables from the file, but `vercel build` does not.
        let variables = &read(&folder.join(config))?["build"]["env"];
        for (name, value) in variables.as_object().into_iter().flatten() {
            command.env(name, value.as_str().unwrap_or_default());
        }
    }
    command.env("CARGO_TARGET_DIR", clone::workshop().join("cargo")).env("CARGO_INCREMENTAL", "0");
    if !selection.optimised {
        command
            .envs([("CARGO_PROFILE_RELEASE_LTO", "off"), ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")]);
        command.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    }
    tools::run(&mut command).context("vercel build failed")?;
    Ok(tools::cpu()? - before)
}

/// The limits of a row in a function's configuration.
fn limits(row: &Endpoint) -> Value {
    json!({ "maxDuration": row.max_seconds, "regions": row.regions })
}

/// The executable of a function in `api/`, after a look at its configuration.
fn function(output: &Path, name: &str, limits: &Value) -> anyhow::Result<PathBuf> {
    let folder = output.join(format!("functions/api/{name}.func"));
    let config = read(&folder.join(".vc-config.json"))?;
    let kind =
        json!({ "handler": "executable", "runtime": "executable", "architecture": "x86_64" });
    for (field, value) in [&kind, limits].into_iter().filter_map(Value::as_object).flatten() {
        ensure!(&config[field] == value, "{name}: {field} is {}", config[field]);
    }
    executable(&folder, &config)
}

/// Compares the routes and the jobs of the whole deployment with the table.
fn check_config(config: &Value) -> anyhow::Result<()> {
    let crons = config["crons"].as_array().context("no crons")?;
    let expected: Vec<Value> = endpoints::ALL
        .iter()
        .filter_map(|row| Some(json!({ "path": row.path, "schedule": row.schedule?.cron() })))
        .collect();
    ensure!(*crons == expected, "the jobs are {crons:?}");
    let routes = config["routes"].as_array().context("no routes")?;
    let is_rewrite = |route: &&Value| {
        let goes_to = route["dest"].as_str().unwrap_or_default();
        goes_to.split('?').next() == Some(HEALTH.path)
    };
    let rewrite = routes.iter().position(|route| is_rewrite(&route));
    let files = routes.iter().position(|route| route["handle"] == "filesystem");
    let (Some(rewrite), Some(files)) = (rewrite, files) else {
        anyhow::bail!("the routes are {routes:#?}")
    };
    ensure!(files < rewrite, "unknown paths are routed before the functions: {routes:#?}");
    Ok(())
}

/// Every function in the output, by its path.
fn functions(folder: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "func") {
                let config = read(&path.join(".vc-config.json"))?;
                let name = path.with_extension("");
                let name = name.strip_prefix(folder)?.to_string_lossy().into_owned();
                found.insert(format!("/{name}"), executable(&path, &config)?);
            } else if path.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(found)
}

/// The file that Vercel runs: in the function's folder, or where its file map says.
fn executable(folder: &Path, config: &Value) -> anyhow::Result<PathBuf> {
    let handler = config["handler"].as_str().context("no handler")?;
    let inside = folder.join(handler);
    if inside.exists() {
        return Ok(inside);
    }
    let mapped = config["filePathMap"][handler].as_str().context("the executable is missing")?;
    let root = folder.ancestors().find(|folder| folder.join(".vercel").is_dir());
    Ok(root.context("no root")?.join(mapped))
}

fn read(path: &Path) -> anyhow::Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("no {}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}
