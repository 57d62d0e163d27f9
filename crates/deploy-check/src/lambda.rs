//! Builds the functions with `cargo lambda` and `sam build`, and compares the template with the
//! endpoint table.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use farebox::render::function_id;
use serde_json::{Map, Value, json};
use shared::endpoints;

use crate::artifacts::Artifacts;
use crate::{Processor, Selection, clone, say, tools};

pub(crate) fn build(selection: &Selection) -> anyhow::Result<Artifacts> {
    let programs = tools::aws()?;
    let folder = clone::fresh("lambda")?;
    check_template(&programs, &folder)?;
    let before = tools::cpu()?;
    tools::run(&mut cargo_lambda(selection, &programs, &folder)).context("cargo lambda failed")?;
    let cpu = tools::cpu()? - before;
    let mut routes = BTreeMap::new();
    if selection.builds_everything() {
        tools::run(&mut sam(selection, &programs, &folder, &[])).context("sam build failed")?;
    }
    for row in &selection.rows {
        let id = function_id(row);
        if !selection.builds_everything() {
            let single = [id.as_str(), "--build-dir", &format!(".aws-sam/{id}")];
            tools::run(&mut sam(selection, &programs, &folder, &single))
                .context("sam build failed")?;
        }
        let built = if selection.builds_everything() { "build" } else { &id };
        let executable = folder.join(".aws-sam").join(built).join(&id).join("bootstrap");
        routes.insert(row.path.to_owned(), executable);
    }
    // Each route of the API is a function; any other path is API Gateway's to answer.
    Ok(Artifacts { routes, fallback: None, cpu })
}

/// Builds all binaries in one call, so that `sam build` finds them done.
fn cargo_lambda(selection: &Selection, programs: &Path, folder: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(folder).envs(environment(programs));
    command.args(["lambda", "build", "--locked"]);
    command.args(selection.optimised.then_some("--release"));
    command.args((selection.processor == Processor::Arm).then_some("--arm64"));
    for row in &selection.rows {
        command.args(["--bin", &format!("lambda-{}", row.name)]);
    }
    command
}

fn sam(selection: &Selection, programs: &Path, folder: &Path, more: &[&str]) -> Command {
    let processor = if selection.processor == Processor::Arm { "arm64" } else { "x86_64" };
    let mut command = Command::new(programs.join("sam"));
    command.arg("build").args(more).current_dir(folder);
    command.args(["--parameter-overrides", &format!("Architecture={processor}")]);
    command.envs(environment(programs));
    if !selection.optimised {
        command.env("SAM_BUILD_MODE", "debug");
    }
    command
}

fn environment(programs: &Path) -> [(&'static str, OsString); 4] {
    [
        ("PATH", tools::path_with(programs)),
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
    for stack in found["stacks"].as_array().context("no stacks")? {
        ensure!(stack["status"] == "CREATE_COMPLETE", "the stack is {}", stack["status"]);
        let functions = stack["functions"].as_array().context("no functions")?;
        ensure!(functions.len() == endpoints::ALL.len(), "{} functions", functions.len());
        for row in endpoints::ALL {
            let prefix = format!("farebox-{}-", function_id(row));
            let is_of_row = |function: &&Value| {
                function["name"].as_str().is_some_and(|name| name.starts_with(&prefix))
            };
            let created = functions.iter().find(is_of_row);
            let created = created.with_context(|| format!("{} has no function", row.path))?;
            ensure!(created["memory"] == row.memory_mb, "{}: {created}", row.path);
            ensure!(created["timeout"] == row.max_seconds, "{}: {created}", row.path);
        }
    }
    let resources = found["resources"].as_object().context("no resources")?;
    for row in endpoints::ALL.iter().filter(|row| row.schedule.is_some()) {
        check_job(resources, &function_id(row))?;
    }
    say(format_args!(
        "cfn-lint finds nothing in the template; the stack has {} resources, and was created with and \
         without the optional parts, but for the kinds that cannot be imitated: {}",
        resources.len(),
        found["not_imitated"]
    ));
    Ok(())
}

/// A job is invoked by a role, and its failures reach the queue.
fn check_job(resources: &Map<String, Value>, function: &str) -> anyhow::Result<()> {
    let queue = json!({ "Fn::GetAtt": ["FailedJobs", "Arn"] });
    let schedule = &resources[&format!("{function}Schedule")]["Properties"];
    let target = &schedule["Target"];
    ensure!(target["RoleArn"] == json!({ "Fn::GetAtt": ["SchedulerRole", "Arn"] }), "{target}");
    ensure!(target["DeadLetterConfig"]["Arn"] == queue, "{target}");
    ensure!(target["RetryPolicy"]["MaximumEventAgeInSeconds"].is_u64(), "{target}");
    ensure!(target["Input"] == "{\"source\": \"aws.scheduler\"}", "{target}");
    let invoked = &resources[&format!("{function}EventInvokeConfig")]["Properties"];
    ensure!(invoked["DestinationConfig"]["OnFailure"]["Destination"] == queue, "{invoked}");
    ensure!(invoked["MaximumEventAgeInSeconds"].is_u64(), "{invoked}");
    let role = &resources[function]["Properties"]["Role"];
    ensure!(*role == json!({ "Fn::GetAtt": ["JobRole", "Arn"] }), "{role}");
    Ok(())
}

/// Returns whether the toolchain can compile for Lambda's arm64 processors.
pub(crate) fn has_arm() -> anyhow::Result<bool> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", "aarch64-unknown-linux-gnu"]);
    let folder = tools::run(&mut rustc)?;
    Ok(fs::exists(folder.trim())?)
}
