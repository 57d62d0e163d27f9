//! `vercel.json`: the schedules, how long a function may take, and where unknown paths go. Routes need
//! no entry: on Vercel a file's path is its URL. `vercel.app.json` is for plans that cap the number of
//! functions and how often a job may run: it builds `api/app.rs` alone,
//! and runs every job once a day.

use serde_json::{Value, json};
use shared::http::Endpoint;

const SCHEMA: &str = "https://openapi.vercel.sh/vercel.json";

pub(super) fn config(table: &[&Endpoint]) -> anyhow::Result<String> {
    let config = json!({
        "$schema": SCHEMA,
        "functions": { "api/**/*.rs": { "maxDuration": 30 } },
        // Files come first: only a path without a function reaches this, and gets its 404 there.
        "rewrites": [{ "source": "/api/:path*", "destination": "/api/app" }],
        "crons": crons(table),
    });
    Ok(serde_json::to_string_pretty(&config)? + "\n")
}

pub(super) fn app_config(table: &[&Endpoint]) -> anyhow::Result<String> {
    let config = json!({
        "$schema": SCHEMA,
        "builds": [{ "src": "api/app.rs", "use": "@vercel/rust" }],
        "routes": [{ "src": "/api/.*", "dest": "/api/app.rs" }],
        "crons": crons(table).into_iter().map(daily).collect::<Vec<_>>(),
    });
    Ok(serde_json::to_string_pretty(&config)? + "\n")
}

/// A job that would run more often runs once a day.
fn daily(mut cron: Value) -> Value {
    if cron["schedule"].as_str().is_some_and(|schedule| schedule.starts_with('*')) {
        cron["schedule"] = "45 3 * * *".into();
    }
    cron
}

fn crons(table: &[&Endpoint]) -> Vec<Value> {
    let scheduled = table.iter().filter_map(|endpoint| Some((endpoint.path, endpoint.schedule?)));
    scheduled.map(|(path, schedule)| json!({ "path": path, "schedule": schedule })).collect()
}
