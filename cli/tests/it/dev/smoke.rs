//! `farebox smoke` against a running local stack, which needs no arguments.

use serde_json::Value;

use super::{Dev, Redis, directory, run, stdout_of};

#[tokio::test]
async fn smoke_tries_the_running_stack() {
    let dir = directory("smoke");
    let none = run(&dir, &["smoke"]).await;
    let message = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(!none.status.success() && message.contains("pass --url"), "{message}");

    let dev = Dev::start(&dir, Redis::Found).await;
    let text = stdout_of(&dir, &["smoke"]).await;
    assert!(text.starts_with(&format!("Trying {} as the user smoke-", dev.base)), "{text}");
    assert!(text.ends_with("All checks passed."), "{text}");
    let key = stdout_of(&dir, &["token", "--service"]).await;
    assert!(!text.contains(&key), "{text}");

    let json = stdout_of(&dir, &["smoke", "--json", "--plan", "team"]).await;
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["ok"], true, "{json}");
    assert_eq!(report["checks"].as_array().unwrap().len(), 19);

    let wrong = run(&dir, &["smoke", "--plan", "gold"]).await;
    let text = String::from_utf8_lossy(&wrong.stdout).into_owned();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text.contains("FAIL  plans: no plan gold"), "{text}");
    assert!(text.contains("1 check failed."), "{text}");

    let no_key = run(&dir, &["smoke", "--url", &dev.base]).await;
    let message = String::from_utf8_lossy(&no_key.stderr).into_owned();
    assert!(!no_key.status.success() && message.contains("FAREBOX_SERVICE_KEY"), "{message}");
    dev.stop(&dir).await;
}
