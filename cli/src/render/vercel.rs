//! `vercel.json`: the schedules, and how long a function may take. Routes need no entry: on Vercel
//! a file's path is its URL.

use serde_json::json;
use shared::http::Endpoint;

pub(super) fn config(table: &[&Endpoint]) -> anyhow::Result<String> {
    let crons: Vec<_> = table
        .iter()
        .filter_map(|endpoint| {
            let schedule = endpoint.schedule?;
            Some(json!({ "path": endpoint.path, "schedule": schedule }))
        })
        .collect();
    let config = json!({
        "$schema": "https://openapi.vercel.sh/vercel.json",
        "functions": { "api/**/*.rs": { "maxDuration": 30 } },
        "crons": crons,
    });
    Ok(serde_json::to_string_pretty(&config)? + "\n")
}
