//! What a stack does by its own clock.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Dev, Redis, directory, farebox_output, run, setting};
use crate::support::{clock, until};

/// What time it is for SQL that is handed none.
async fn time_of_sql(dir: &Path) -> jiff::Timestamp {
    let settings = farebox_output(dir, &["env"]).await;
    let owner = crate::support::settings(setting(&settings, "DIRECT_URL"));
    let client = shared::adapters::postgres::connect(&owner).await.unwrap();
    client.query_typed_one("select farebox_now()", &[]).await.unwrap().get(0)
}

/// Its jobs run by its clock: nobody asks, and what time ends has ended.
#[tokio::test]
async fn a_stack_runs_its_jobs() {
    let dir = directory("jobs");
    let dev = Dev::start(&dir, Redis::Found).await;
    let service = farebox_output(&dir, &["token", "--service"]).await;
    let ends_at = clock().now() + jiff::SignedDuration::from_hours(1);
    let gift = json!({ "plan": "pro", "endsAt": ends_at });
    let given = dev.call("PATCH", "/api/plan?userId=ann", &service, Some(gift)).await;
    given.expect_status(200);
    farebox_output(&dir, &["clock", "advance", "1d"]).await;

    let settings = farebox_output(&dir, &["env"]).await;
    let owner = crate::support::settings(setting(&settings, "DIRECT_URL"));
    let client = shared::adapters::postgres::connect(&owner).await.unwrap();
    let ended = "select count(*) from plan_grants where ended_at is not null";
    until(async || client.query_typed_one(ended, &[]).await.unwrap().get::<_, i64>(0) == 1).await;
    dev.stop(&dir).await;
}

/// One clock for the product, for Stripe and for SQL, and tokens that go with it.
#[tokio::test]
async fn a_stack_whose_clock_was_moved_goes_on_from_there() {
    let dir = directory("clock");
    let dev = Dev::start(&dir, Redis::Found).await;
    assert!(
        dev.startup_lines.iter().any(|line| line.contains("SIMULATOR")),
        "{:?}",
        dev.startup_lines
    );
    let settings = farebox_output(&dir, &["env"]).await;
    assert_eq!(setting(&settings, "STRIPE_API_URL"), dev.base);
    assert!(setting(&settings, "STRIPE_WEBHOOK_SECRET").starts_with("whsec_"));
    let key = setting(&settings, "STRIPE_SECRET_KEY").to_owned();
    let ann = dev.call("POST", "/v1/customers", &key, None).await.expect_status(200).body;

    let moved: jiff::Timestamp =
        farebox_output(&dir, &["clock", "advance", "2mo"]).await.parse().unwrap();
    assert!(moved.as_second() - clock().now().as_second() > 58 * 86_400);
    assert!(time_of_sql(&dir).await >= moved);
    let token = farebox_output(&dir, &["token", "--user", "ann"]).await;
    dev.call("POST", "/api/session", &token, None).await.expect_status(200);
    dev.stop(&dir).await;

    // As a file from before there was a simulator.
    let secrets = dir.join(".farebox/secrets.json");
    let mut old: Value = serde_json::from_slice(&fs::read(&secrets).unwrap()).unwrap();
    old.as_object_mut().unwrap().retain(|name, _| !name.starts_with("stripe"));
    fs::write(&secrets, old.to_string()).unwrap();
    let dev = Dev::start(&dir, Redis::Found).await;
    dev.call("POST", "/api/session", &token, None).await.expect_status(200);
    let now: jiff::Timestamp = farebox_output(&dir, &["clock", "now"]).await.parse().unwrap();
    assert!(now >= moved, "{now} {moved}");
    assert!(time_of_sql(&dir).await >= now, "where the stack begins anew it is told again");
    let key = setting(&farebox_output(&dir, &["env"]).await, "STRIPE_SECRET_KEY").to_owned();
    let path = format!("/v1/customers/{}", ann["id"].as_str().unwrap());
    let kept = dev.call("GET", &path, &key, None).await.expect_status(200).body;
    assert_eq!(kept["created"], ann["created"]);

    let caused = farebox_output(&dir, &["trigger", "customer.updated", "--user", "bob"]).await;
    assert!(caused.lines().any(|line| line.ends_with(" customer.updated")), "{caused}");
    assert_eq!(farebox_output(&dir, &["webhooks", "list"]).await, "There are none.");
    farebox_output(&dir, &["simulator", "set", "drop=true"]).await;
    let state: Value = serde_json::from_str(&farebox_output(&dir, &["simulator"]).await).unwrap();
    assert_eq!(
        (&state["switches"]["drop"], &state["counts"]["customer"]),
        (&json!(true), &json!(2))
    );
    let wrong = run(&dir, &["clock", "advance", "soon"]).await;
    let message = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(!wrong.status.success() && message.contains("'soon'"), "{message}");
    dev.stop(&dir).await;
}
