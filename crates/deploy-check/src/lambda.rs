//! What `cargo lambda` and `sam build` make of the repository, and the template's comparison with the
//! endpoint table.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use shared::endpoints;
use shared::http::Endpoint;

use crate::artifacts::Artifacts;
use crate::{Plan, Processor, clone, say, tools};

pub(crate) fn build(plan: &Plan) -> anyhow::Result<Artifacts> {
    let programs = tools::aws()?;
    let folder = clone::fresh("lambda")?;
    check_template(&programs, &folder)?;
    let before = tools::cpu()?;
    tools::run(&mut cargo_lambda(plan, &programs, &folder)).context("cargo lambda failed")?;
    let cpu = tools::cpu()? - before;
    let mut executables = BTreeMap::new();
    if plan.builds_everything() {
        tools::run(&mut sam(plan, &programs, &folder, &[])).context("sam build failed")?;
    }
    for row in &plan.rows {
        let id = logical_id(row);
        if !plan.builds_everything() {
            let single = [id.as_str(), "--build-dir", &format!(".aws-sam/{id}")];
            tools::run(&mut sam(plan, &programs, &folder, &single)).context("sam build failed")?;
        }
        let built = if plan.builds_everything() { "build" } else { &id };
        let executable = folder.join(".aws-sam").join(built).join(&id).join("bootstrap");
        executables.insert(row.path.to_owned(), executable);
    }
    // Each route of the API is a function; any other path is API Gateway's to answer.
    Ok(Artifacts { executables, fallback: None, cpu })
}

/// Builds all binaries in one call, so that `sam build` finds them done.
fn cargo_lambda(plan: &Plan, programs: &Path, folder: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(folder).envs(environment(programs));
    command.args(["lambda", "build", "--locked"]);
    command.args(plan.optimised.then_some("--release"));
    command.args((plan.processor == Processor::Arm).then_some("--arm64"));
    for row in &plan.rows {
        command.args(["--bin", &format!("lambda-{}", row.name)]);
    }
    command
}

fn sam(plan: &Plan, programs: &Path, folder: &Path, more: &[&str]) -> Command {
    let processor = if plan.processor == Processor::Arm { "arm64" } else { "x86_64" };
    let mut command = Command::new(programs.join("sam"));
    command.arg("build").args(more).current_dir(folder);
    command.args(["--parameter-overrides", &format!("Architecture={processor}")]);
    command.envs(environment(programs));
    if !plan.optimised {
        command.env("SAM_BUILD_MODE", "debug");
    }
    command
}

fn environment(programs: &Path) -> [(&'static str, std::ffi::OsString); 4] {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut paths = vec![programs.to_owned()];
    paths.extend(std::env::split_paths(&path));
    let path = std::env::join_paths(paths).unwrap_or(path);
    [
        ("PATH", path),
        ("SAM_CLI_TELEMETRY", "0".into()),
        ("CARGO_INCREMENTAL", "0".into()),
        ("CARGO_TARGET_DIR", clone::workshop().join("cargo-lambda").into()),
    ]
}

/// Expands, lints and creates the stack of the template, and compares it with the table.
fn check_template(programs: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut python = Command::new(programs.join("python"));
    python.arg("deploy/tools/check_template.py").arg("template.yaml").current_dir(folder);
    let found: Value = serde_json::from_str(&tools::run(&mut python)?)?;
    ensure!(found["problems"] == Value::Array(Vec::new()), "cfn-lint: {:#}", found["problems"]);
    let stack = &found["stack"];
    ensure!(stack["status"] == "CREATE_COMPLETE", "the stack is {}", stack["status"]);
    let functions = stack["functions"].as_array().context("no functions")?;
    ensure!(functions.len() == endpoints::ALL.len(), "{} functions", functions.len());
    for row in endpoints::ALL {
        let prefix = format!("farebox-{}-", logical_id(row));
        let created = functions.iter().find(|function| {
            function["name"].as_str().is_some_and(|name| name.starts_with(&prefix))
        });
        let created = created.with_context(|| format!("{} has no function", row.path))?;
        ensure!(created["memory"] == row.memory_mb, "{}: {created}", row.path);
        ensure!(created["timeout"] == row.max_seconds, "{}: {created}", row.path);
    }
    let resources = found["template"]["Resources"].as_object().context("no resources")?;
    let of_kind = |kind: &str| resources.values().filter(|one| one["Type"] == kind).count();
    let jobs = endpoints::ALL.iter().filter(|row| row.schedule.is_some()).count();
    ensure!(of_kind("AWS::Scheduler::Schedule") == jobs, "a job has no schedule");
    ensure!(of_kind("AWS::Lambda::EventInvokeConfig") == jobs, "a job's failure goes nowhere");
    say(format_args!(
        "cfn-lint finds nothing in the template; the stack has {} resources, and was created but for \
         those that cannot be imitated: {}",
        resources.len(),
        stack["not_imitated"]
    ));
    Ok(())
}

/// The row's id in the template.
fn logical_id(row: &Endpoint) -> String {
    let capitalized = |word: &str| word[..1].to_uppercase() + &word[1..];
    row.name.split('-').map(capitalized).collect::<String>() + "Function"
}

/// Returns whether the toolchain can compile for Lambda's arm64 processors.
pub(crate) fn has_arm() -> anyhow::Result<bool> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", "aarch64-unknown-linux-gnu"]);
    let folder = tools::run(&mut rustc)?;
    Ok(fs::exists(folder.trim())?)
}
