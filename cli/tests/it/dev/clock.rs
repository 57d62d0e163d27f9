//! `farebox clock` advances and resets the clock of a stack.

use serde_json::{Value, json};

use super::{Dev, Redis, directory, run, setting, stdout_of};
use crate::support::clock;

#[tokio::test]
async fn an_advance_says_what_happened() {
    let dir = directory("advance");
    let dev = Dev::start(&dir, Redis::Found).await;
    let advance = async |by: &str| stdout_of(&dir, &["clock", "advance", by]).await;
    let nothing = advance("1d").await;
    assert_eq!(nothing.lines().nth(1), Some("nothing happened"), "{nothing}");

    for user in ["ann", "bob"] {
        let event = "checkout.session.completed";
        stdout_of(&dir, &["trigger", event, "--user", user, "--plan", "pro"]).await;
    }
    stdout_of(&dir, &["trigger", "invoice.payment_failed", "--user", "cid"]).await;
    // The receipts and the notice of the failed payment.
    advance("1min").await;
    let renewed = advance("1mo").await;
    let renewed = renewed.lines().nth(1).unwrap();
    assert!(renewed.starts_with("2 renewals, "), "{renewed}");
    let charged = stdout_of(&dir, &["clock", "advance", "2h", "--json"]).await;
    let charged: Value = serde_json::from_str(&charged).unwrap();
    let happened = &charged["happened"];
    assert_eq!((&happened["renewals"], &happened["paid_invoices"]), (&json!(0), &json!(2)));
    let mails = dev.call("GET", "/mail/api/messages", "", None).await.expect_status(200).body;
    let sent = mails.as_array().unwrap().len() as u64;
    assert!((1..sent).contains(&happened["emails"].as_u64().unwrap()), "{happened} of {sent}");
    let now: jiff::Timestamp = charged["now"].as_str().unwrap().parse().unwrap();
    let printed = stdout_of(&dir, &["clock", "--json"]).await;
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert!(printed["now"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap() >= now);
    dev.stop(&dir).await;
}

/// A token that was made before the clock was advanced still works, and so do the keys after a
/// reset.
#[tokio::test]
async fn a_reset_goes_back_to_the_present_and_keeps_the_keys() {
    let dir = directory("reset");
    let unused = run(&dir, &["clock", "reset", "--yes"]).await;
    let message = String::from_utf8_lossy(&unused.stderr).into_owned();
    assert!(!unused.status.success() && message.contains("no stack has been started"), "{message}");

    for redis in [Redis::Found, Redis::Engine] {
        let dev = Dev::start(&dir, redis).await;
        let token = stdout_of(&dir, &["token", "--user", "ann"]).await;
        dev.call("POST", "/api/session", &token, None).await.expect_status(200);
        let talk = json!({ "summary": "hello", "content": "a talk" });
        dev.call("POST", "/api/chat/save", &token, Some(talk)).await.expect_status(200);
        let key = setting(&stdout_of(&dir, &["env"]).await, "STRIPE_SECRET_KEY").to_owned();
        stdout_of(&dir, &["clock", "advance", "1y"]).await;
        assert_eq!(dev.stats(&token).await["conversations"], 1);
        let later = stdout_of(&dir, &["token", "--user", "ann"]).await;
        dev.call("POST", "/api/session", &later, None).await.expect_status(200);

        let running = run(&dir, &["clock", "reset", "--yes"]).await;
        let message = String::from_utf8_lossy(&running.stderr).into_owned();
        assert!(message.contains("stop it with Ctrl-C"), "{message}");
        assert!(!running.status.success());
        dev.stop(&dir).await;
        let unanswered = run(&dir, &["clock", "reset"]).await;
        let message = String::from_utf8_lossy(&unanswered.stderr).into_owned();
        assert!(!unanswered.status.success() && message.contains("pass --yes"), "{message}");
        std::fs::write(dir.join(".farebox/notes.txt"), "mine").unwrap();
        stdout_of(&dir, &["clock", "reset", "--yes"]).await;
        assert_eq!(std::fs::read(dir.join(".farebox/notes.txt")).unwrap(), b"mine");

        let dev = Dev::start(&dir, redis).await;
        let now: jiff::Timestamp = stdout_of(&dir, &["clock"]).await.parse().unwrap();
        assert!(now.duration_since(clock().now()).as_hours().abs() < 1, "{now}");
        assert_eq!(dev.stats(&token).await["conversations"], 0, "{redis:?}: the data is gone");
        let kept = stdout_of(&dir, &["env"]).await;
        assert_eq!(setting(&kept, "STRIPE_SECRET_KEY"), key);
        dev.stop(&dir).await;
    }
}
