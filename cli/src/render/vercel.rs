//! `vercel.json`: the schedules, how long a function may take, and where unknown paths go. Routes need
//! no entry: on Vercel a file's path is its URL. `vercel.app.json` is for plans that cap the number of
//! functions: it builds `api/app.rs` alone.

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
        "crons": crons(table),
    });
    Ok(serde_json::to_string_pretty(&config)? + "\n")
}

fn crons(table: &[&Endpoint]) -> Vec<Value> {
    let scheduled = table.iter().filter_map(|endpoint| Some((endpoint.path, endpoint.schedule?)));
    scheduled.map(|(path, schedule)| json!({ "path": path, "schedule": schedule })).collect()
}
