//! The app's server verifies and reads what it gets.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::OnceCell;

use super::with_receiver;
use crate::support::receiver::SECRET;
use crate::support::{Receiver, TestApp, node};

const PACKAGE: &str = include_str!("../fixtures/standard-webhooks/package.json");
const LOCK: &str = include_str!("../fixtures/standard-webhooks/package-lock.json");
const VERIFY: &str = include_str!("../fixtures/standard-webhooks/verify.mjs");

const TYPES: [&str; 7] = [
    "credits.low",
    "entitlement.updated",
    "limit.reached",
    "payment.failed",
    "subscription.created",
    "subscription.deleted",
    "subscription.updated",
];

/// The directory in which the official library is installed.
async fn library() -> &'static Path {
    static INSTALLED: OnceCell<PathBuf> = OnceCell::const_new();
    INSTALLED.get_or_init(|| node::install("standard-webhooks", PACKAGE, LOCK)).await
}

/// The types that the official library verifies with each of these secrets.
async fn verified(app: &TestApp, receiver: &Receiver, secrets: &str) -> Value {
    let library = library().await;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.json", app.database_name()));
    std::fs::write(&file, serde_json::to_string(&receiver.webhooks()).unwrap()).unwrap();
    let mut script = node::node(library);
    script.env("FILE", &file).env("SECRETS", secrets);
    let types = node::output_of(script, VERIFY).await;
    std::fs::remove_file(&file).unwrap();
    serde_json::from_str(&types).unwrap()
}

/// FX-12: a subscription from its beginning to its end, and all that is used and spent.
async fn live_through_every_event(app: &TestApp) {
    app.buy("ann", json!({ "tier": "starter", "interval": "monthly" })).await;
    app.use_feature("ann", "reports", 100).await;
    app.spend_credits("ann", 8).await;
    app.give_card("ann", "pm_card_chargeCustomerFail").await;
    app.advance("15d").await;
    app.change("ann", json!({ "action": "cancel", "when": "now" })).await.expect_status(200);
    app.simulator.delivered().await;
    app.send_all_webhooks().await;
}

/// FX-12: each type of event is verified by the official library, and refused if it was changed.
#[tokio::test]
async fn the_official_library_verifies_every_type_of_event() {
    let (app, receiver) = with_receiver().await;
    live_through_every_event(&app).await;
    assert_eq!(verified(&app, &receiver, SECRET).await, json!(TYPES));
    let ids: BTreeSet<String> = receiver.webhooks().into_iter().map(|it| it.id).collect();
    assert_eq!(ids.len(), receiver.webhooks().len(), "each was delivered once");
    assert!(ids.iter().all(|id| id.starts_with("msg_")), "{ids:?}");
}

/// FX-12: during a rotation a receiver with the old secret and one with the new verify all.
#[tokio::test]
async fn during_a_rotation_both_secrets_verify() {
    const NEW: &str = "whsec_qbTEFCkLGRiAvuxQpNwqs9v1y0nmqTvIwCQ0VaTwT5o=";
    let receiver = Receiver::start().await;
    let secrets = format!("{NEW},{SECRET}");
    let app = receiver.setup().set("APP_WEBHOOK_SECRET", &secrets).sells("demo").start().await;
    app.send_webhooks().await;
    app.use_feature("ann", "reports", 5).await;
    app.send_all_webhooks().await;
    let both = verified(&app, &receiver, &secrets).await;
    assert_eq!(both, json!(["entitlement.updated", "limit.reached"]));
}

/// FX-12: the data are what the API answers, with the owner's id.
#[tokio::test]
async fn an_event_has_the_data_of_the_api() {
    let (app, receiver) = with_receiver().await;
    app.buy("ann", json!({ "tier": "starter", "interval": "monthly" })).await;
    app.send_all_webhooks().await;
    let last = |kind: &str| {
        let mut webhooks = receiver.webhooks().into_iter();
        webhooks.rfind(|webhook| webhook.body["type"] == kind).unwrap().body
    };
    let mut entitlements = app.get("/api/entitlements").bearer(&app.token("ann")).send().await.body;
    entitlements["userId"] = "ann".into();
    let updated = last("entitlement.updated");
    assert_eq!(updated["data"], entitlements);
    assert_eq!(updated.as_object().unwrap().len(), 3, "{updated}");
    assert!(updated["timestamp"].as_str().unwrap().starts_with("2026-06-10T"), "{updated}");
    let created = last("subscription.created")["data"].clone();
    let expected =
        json!({ "userId": "ann", "subscription": app.subscription("ann").await["subscription"] });
    assert_eq!(created, expected);

    app.use_feature("ann", "reports", 100).await;
    app.spend_credits("ann", 9).await;
    app.spend_credits("ann", 1).await;
    receiver.clear();
    app.send_all_webhooks().await;
    let data: Vec<Value> = receiver.webhooks().iter().map(|it| it.body["data"].clone()).collect();
    let low = |balance: i64, percent: i64| -> Value {
        json!({ "userId": "ann", "unit": "ai_credit", "balance": balance, "percentUsed": percent })
    };
    let reached = json!({
        "userId": "ann", "feature": "reports", "used": 100, "limit": 100,
        "resetsAt": data[0]["resetsAt"],
    });
    assert_eq!(data, [reached, low(1, 80), low(0, 100)]);
}

/// FX-12: webhooks have ids, and no address, name or link of a person.
#[tokio::test]
async fn no_event_has_personal_data() {
    let (app, receiver) = with_receiver().await;
    let order = json!({ "pack": "ai_100", "email": "ann@mail.example" });
    app.buy("ann", order).await;
    live_through_every_event(&app).await;
    let all: Vec<String> = receiver.webhooks().into_iter().map(|it| it.text).collect();
    assert!(all.iter().any(|text| text.contains("payment.failed")), "{all:?}");
    for text in all {
        assert!(!text.contains('@') && !text.contains("http"), "{text}");
    }
}

/// FX-12: the receiver that docs/SETUP.md shows verifies webhooks, and keeps the newest entitlement.
#[tokio::test]
async fn the_receiver_of_the_setup_guide_works() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/SETUP.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let (_, code) = guide.split_once("```ts\nimport { createServer }").unwrap();
    let (code, _) = code.split_once("```").unwrap();
    // Node.js 20 reads no types.
    let code = format!("import {{ createServer }}{}", code.replace(" as any", ""));
    let mut server = node::node(library().await);
    server.env("APP_WEBHOOK_SECRET", SECRET).env("PORT", "0").kill_on_drop(true);
    let mut server = server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    server.stdin.take().unwrap().write_all(code.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let address = lines.next_line().await.unwrap().unwrap();
    let port = address.split("port: ").nth(1).unwrap();
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();

    let url = format!("http://localhost:{port}/");
    let receiver = Receiver::start().await;
    let app = receiver.setup().set("APP_WEBHOOK_URL", &url).sells("demo").start().await;
    app.send_webhooks().await;
    app.buy("ann", json!({ "tier": "starter", "interval": "monthly" })).await;
    app.send_all_webhooks().await;
    let mut line = String::new();
    while line != "ann has the plan starter" {
        line = lines.next_line().await.unwrap().unwrap();
    }
    let forged = reqwest::Client::new().post(&url).body("{}").send().await.unwrap();
    assert_eq!(forged.status(), 400);
}
