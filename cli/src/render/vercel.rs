//! `vercel.json`: the schedules, the functions' time limit, and the route of unknown paths. Known
//! routes need no entry: on Vercel a file's path is its URL.
//!
//! `deploy/vercel.app.json` is for plans that limit the number of functions and the frequency of
//! jobs: it builds a function for each group of routes, and runs every job once a day. Pass it with
//! `vercel --local-config`. Its paths are relative to the deployed folder.
//!
//! Without `builds`, Vercel also publishes files: those in `public/` if the folder exists,
//! otherwise the whole repository. This is why `public/robots.txt` is committed.

use anyhow::{Context as _, ensure};
use serde_json::{Map, Value, json};
use shared::endpoints::HEALTH;
use shared::http::{Endpoint, Schedule};

use super::mains::{GROUPS, Group, group};

const SCHEMA: &str = "https://openapi.vercel.sh/vercel.json";

/// The most entries of `functions`, by Vercel's schema.
const MAX_FUNCTIONS: usize = 50;

/// The most functions of a deployment on Vercel's Hobby plan.
const MAX_CAPPED: usize = 12;

pub(super) fn config(table: &[&Endpoint]) -> anyhow::Result<String> {
    ensure!(table.len() <= MAX_FUNCTIONS, "vercel.json cannot have {} functions", table.len());
    let functions: Map<_, _> =
        table.iter().map(|row| (format!("api/{}.rs", row.file()), limits(row))).collect();
    let config = json!({
        "$schema": SCHEMA,
        "functions": functions,
        // Files come first, so only a path without a function is routed here. A function answers
        // 404 for any path but its own.
        "rewrites": [{ "source": "/api/:path*", "destination": HEALTH.path }],
        "crons": crons(table, |schedule| schedule),
    });
    Ok(serde_json::to_string_pretty(&config)? + "\n")
}

pub(super) fn app_config(table: &[&Endpoint]) -> anyhow::Result<String> {
    ensure!(GROUPS.len() <= MAX_CAPPED, "a capped plan cannot have {} functions", GROUPS.len());
    let file = |group: Group| format!("api/_{}.rs", group.name);
    let mut builds = Vec::new();
    for own in GROUPS {
        let rows = table.iter().filter(|row| group(row) == own);
        let longest = rows.max_by_key(|row| row.max_seconds).context("an empty group")?;
        builds.push(build(&file(own), longest));
    }
    let [app, ..] = GROUPS;
    let elsewhere = table.iter().filter(|row| group(row) != app);
    let mut routes: Vec<_> = elsewhere
        .map(|row| json!({ "src": row.path, "dest": format!("/{}", file(group(row))) }))
        .collect();
    routes.push(json!({ "src": "/api/.*", "dest": format!("/{}", file(app)) }));
    let names = GROUPS.map(|group| group.name).join(" ");
    let config = json!({
        "$schema": SCHEMA,
        "builds": builds,
        // `build.sh` builds these.
        "build": { "env": { "FAREBOX_FUNCTIONS": names } },
        "routes": routes,
        "crons": crons(table, daily),
    });
    Ok(serde_json::to_string_pretty(&config)? + "\n")
}

/// Vercel rejects `functions` together with `builds`; the builder reads this field instead.
fn build(file: &str, row: &Endpoint) -> Value {
    json!({ "src": file, "use": "@vercel/rust", "config": { "functions": { file: limits(row) } } })
}

/// The time limit and the regions of a function. Vercel itself decides its memory.
fn limits(row: &Endpoint) -> Value {
    json!({ "maxDuration": row.max_seconds, "regions": row.regions })
}

/// When the minute job runs on a plan that allows one run a day.
const ONCE_A_DAY: Schedule = Schedule::Daily { hour: 3, minute: 45 };

fn daily(schedule: Schedule) -> Schedule {
    match schedule {
        Schedule::EveryMinute => ONCE_A_DAY,
        daily @ Schedule::Daily { .. } => daily,
    }
}

fn crons(table: &[&Endpoint], change: impl Fn(Schedule) -> Schedule) -> Vec<Value> {
    let scheduled = table.iter().filter_map(|endpoint| Some((endpoint.path, endpoint.schedule?)));
    let cron = |(path, schedule)| json!({ "path": path, "schedule": change(schedule).cron() });
    scheduled.map(cron).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::Value;
    use shared::endpoints;

    fn root() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    fn parsed(text: anyhow::Result<String>) -> Value {
        serde_json::from_str(&text.unwrap()).unwrap()
    }

    /// Vercel's builder (`detectBuilders` of @vercel/fs-detectors) publishes the files below
    /// `public/`, or every file outside `api/` if there are none, unless a setting names another
    /// folder or there is a frontend to build.
    #[test]
    fn a_vercel_build_publishes_robots_txt_and_nothing_else() {
        let published = fs::read_dir(root().join("public")).unwrap();
        let published: Vec<_> = published.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(published, ["robots.txt"]);
        let robots = fs::read_to_string(root().join("public/robots.txt")).unwrap();
        assert_eq!(robots, "User-agent: *\nDisallow: /\n");
        let ignored = fs::read_to_string(root().join(".gitignore")).unwrap_or_default();
        assert!(!ignored.contains("public"), "public/ must be committed");

        let config = parsed(super::config(endpoints::ALL));
        for other in ["outputDirectory", "buildCommand", "framework", "builds", "public"] {
            assert_eq!(config[other], Value::Null, "{other} makes Vercel publish other files");
        }
        for frontend in ["package.json", ".vercelignore"] {
            assert!(!root().join(frontend).exists(), "{frontend} changes what is published");
        }
        // Only the listed files are built, and a function publishes no file.
        let app = parsed(super::app_config(endpoints::ALL));
        let builds = app["builds"].as_array().unwrap();
        assert!(builds.iter().all(|build| build["use"] == "@vercel/rust"), "{builds:?}");
    }

    /// A limited plan rejects a deployment with a job that runs more than once a day.
    #[test]
    fn a_limited_plan_gets_few_functions_and_daily_jobs() {
        let app = parsed(super::app_config(endpoints::ALL));
        assert!(app["builds"].as_array().unwrap().len() <= super::MAX_CAPPED);
        for cron in app["crons"].as_array().unwrap() {
            let schedule = cron["schedule"].as_str().unwrap();
            let mut fields = schedule.split(' ').map(|field| field.parse::<u32>());
            assert!(fields.by_ref().take(2).all(|field| field.is_ok()), "{schedule}");
        }
        let setup = fs::read_to_string(root().join("docs/SETUP.md")).unwrap();
        assert!(setup.contains("vercel deploy --prod --local-config deploy/vercel.app.json"));
        assert!(!setup.replace("deploy --prod --local", "").contains("vercel --local-config"));
    }
}
