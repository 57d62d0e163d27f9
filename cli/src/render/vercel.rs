//! `vercel.json`: the schedules, the functions' time limit, and the route of unknown paths. Known
//! routes need no entry: on Vercel a file's path is its URL.
//!
//! `deploy/vercel.app.json` is for plans that limit the number of functions and the frequency of
//! jobs: it builds only `api/app.rs` and runs every job once a day. Pass it with
//! `vercel --local-config`. Its paths are relative to the deployed folder.
//!
//! Without `builds`, Vercel also publishes files: those in `public/` if the folder exists,
//! otherwise the whole repository. This is why `public/robots.txt` is committed.

use serde_json::{Value, json};
use shared::http::Endpoint;

/// The time limit of a function in seconds.
const MAX_DURATION: u32 = 30;

const SCHEMA: &str = "https://openapi.vercel.sh/vercel.json";

pub(super) fn config(table: &[&Endpoint]) -> anyhow::Result<String> {
    let config = json!({
        "$schema": SCHEMA,
        "functions": { "api/**/*.rs": { "maxDuration": MAX_DURATION } },
        // Files come first, so only a path without a function is routed here, which answers 404.
        "rewrites": [{ "source": "/api/:path*", "destination": "/api/app" }],
        "crons": crons(table),
    });
    Ok(serde_json::to_string_pretty(&config)? + "\n")
}

pub(super) fn app_config(table: &[&Endpoint]) -> anyhow::Result<String> {
    let config = json!({
        "$schema": SCHEMA,
        // Vercel rejects `functions` together with `builds`; the builder reads this field instead.
        "builds": [{
            "src": "api/app.rs",
            "use": "@vercel/rust",
            "config": { "functions": { "api/app.rs": { "maxDuration": MAX_DURATION } } },
        }],
        "routes": [{ "src": "/api/.*", "dest": "/api/app.rs" }],
        "crons": crons(table).into_iter().map(daily).collect::<Vec<_>>(),
    });
    Ok(serde_json::to_string_pretty(&config)? + "\n")
}

/// Changes the schedule of a job that runs every minute to once a day.
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

    #[test]
    fn both_deployments_have_the_same_time_limit() {
        let each = parsed(super::config(endpoints::ALL));
        let of_all = parsed(super::app_config(endpoints::ALL));
        let each = &each["functions"]["api/**/*.rs"]["maxDuration"];
        let of_all = &of_all["builds"][0]["config"]["functions"]["api/app.rs"]["maxDuration"];
        assert!(each.is_u64() && each == of_all, "{each} and {of_all}");
    }

    /// A limited plan rejects a deployment with a job that runs more than once a day.
    #[test]
    fn a_limited_plan_gets_one_function_and_daily_jobs() {
        let app = parsed(super::app_config(endpoints::ALL));
        assert_eq!(app["builds"].as_array().unwrap().len(), 1);
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
