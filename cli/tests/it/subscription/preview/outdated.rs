//! Previews that cannot be made or no longer hold: the answer is clear, and nothing is charged.

use serde_json::{Value, json};

use super::{expect_near, minutes};
use crate::subscription::{paid, subscriber};
use crate::support::{TestApp, execute};

/// Confirms a preview that no longer holds.
async fn expect_outdated(app: &TestApp, preview: &Value) {
    let before = app.subscription("ann").await;
    let charged = paid(app).len();
    app.confirm("ann", preview).await.expect_problem(409, "preview_outdated");
    app.simulator.delivered().await;
    assert_eq!(app.subscription("ann").await, before);
    assert_eq!(paid(app).len(), charged);
    let open = "select count(*) from stripe_requests where answered_at is null";
    assert_eq!(app.count(open).await, 0, "nothing is left to be continued");
}

/// FX-9: a preview expires after 15 minutes, and when its period ends.
#[tokio::test]
async fn a_preview_expires() {
    let app = subscriber("plus", "monthly").await;
    let preview = app.preview("ann", json!({ "tier": "premium" })).await;
    expect_near(&preview["expiresAt"], app.now() + minutes(15));
    app.clock.advance(minutes(15));
    expect_outdated(&app, &preview).await;

    app.advance("29d 23h").await;
    let end = app.subscription("ann").await["subscription"]["currentPeriodEnd"].clone();
    let end: jiff::Timestamp = serde_json::from_value(end).unwrap();
    app.clock.advance(end.duration_since(app.now()) - minutes(5));
    let preview = app.preview("ann", json!({ "tier": "premium" })).await;
    assert_eq!(preview["expiresAt"], end.to_string());
    // The subscription renews at that time.
    app.advance("6min").await;
    expect_outdated(&app, &preview).await;
}

/// FX-9: any change of the subscription, or of what is sold, outdates the preview.
#[tokio::test]
async fn a_preview_ends_with_a_change_of_the_subscription() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "team", "interval": "monthly", "quantity": 2 })).await;
    app.advance("2d").await;
    let preview = async || app.preview("ann", json!({ "quantity": 5 })).await;
    let change = async |action: Value| {
        app.change("ann", action).await.expect_status(200);
        app.simulator.delivered().await;
    };
    let more = preview().await;
    change(json!({ "action": "change", "quantity": 3 })).await;
    expect_outdated(&app, &more).await;

    let canceled = preview().await;
    change(json!({ "action": "cancel" })).await;
    expect_outdated(&app, &canceled).await;
    change(json!({ "action": "resume" })).await;

    let scheduled = preview().await;
    change(json!({ "action": "change", "quantity": 1 })).await;
    expect_outdated(&app, &scheduled).await;
    change(json!({ "action": "resume" })).await;

    let dearer = app.preview("ann", json!({ "interval": "yearly" })).await;
    let catalog = include_str!("../../../../../catalogs/demo.toml");
    let changed = catalog.replace("amount = 24_000", "amount = 25_000");
    assert_ne!(changed, catalog);
    app.sell_text(&app.owner_url, "demo", &changed).await;
    expect_outdated(&app, &dearer).await;

    let over = preview().await;
    change(json!({ "action": "cancel", "when": "now" })).await;
    expect_outdated(&app, &over).await;
}

/// FX-9: a price that changed at Stripe alone is noticed before the charge.
#[tokio::test]
async fn a_preview_ends_with_a_change_of_its_price_at_stripe() {
    let app = subscriber("plus", "monthly").await;
    app.advance("10d").await;
    let preview = app.preview("ann", json!({ "tier": "premium" })).await;
    app.change_balance("ann", "-100").await;
    expect_outdated(&app, &preview).await;
    let preview = app.preview("ann", json!({ "tier": "premium" })).await;
    app.give_coupon("ann", "forever").await;
    expect_outdated(&app, &preview).await;
    let preview = app.preview("ann", json!({ "tier": "premium" })).await;
    app.confirm("ann", &preview).await.expect_status(200);
}

/// FX-9: only the user of a preview confirms it, and the confirmation names nothing else.
#[tokio::test]
async fn a_preview_belongs_to_its_user() {
    let app = subscriber("plus", "monthly").await;
    app.buy("bob", json!({ "tier": "plus", "interval": "monthly" })).await;
    let preview = app.preview("ann", json!({ "tier": "premium" })).await;
    let before = app.tables().await;
    app.confirm("bob", &preview).await.expect_problem(404, "preview_not_found");
    let id = |id: &str| json!({ "previewId": id });
    let forged = id("0b6c2f3e-9c1d-4f5a-8b7e-1234567890ab");
    app.confirm("ann", &forged).await.expect_problem(404, "preview_not_found");
    for odd in ["", "1", "' or true", "0B6C2F3E-9C1D-4F5A-8B7E-1234567890AB"] {
        app.confirm("ann", &id(odd)).await.expect_invalid("previewId");
    }
    for (name, value) in [
        ("action", json!("change")),
        ("tier", json!("premium")),
        ("interval", json!("yearly")),
        ("quantity", json!(2)),
        ("when", json!("now")),
        ("reason", json!("because")),
        ("price", json!("price_1")),
        ("amountDueMinor", json!(1)),
        ("prorationDate", json!(1)),
    ] {
        let mut body = json!({ "previewId": preview["previewId"] });
        body[name] = value;
        app.change("ann", body).await.expect_invalid(name);
    }
    assert_eq!(app.tables().await, before);
    assert_eq!(paid(&app), [999, 999]);
}

#[tokio::test]
async fn an_impossible_preview_is_refused_as_the_change_would_be() {
    let app = subscriber("plus", "monthly").await;
    let preview = async |user: &str, change: Value| app.preview_call(user, change).send().await;
    for (change, field) in [
        (json!({}), "tier"),
        (json!({ "tier": "unheard-of" }), "tier"),
        (json!({ "tier": "free" }), "tier"),
        (json!({ "interval": "weekly" }), "interval"),
        (json!({ "tier": "plus", "quantity": 3 }), "quantity"),
        (json!({ "quantity": 0 }), "quantity"),
        (json!({ "tier": "premium", "price": "price_1" }), "price"),
        (json!({ "tier": "premium", "action": "change" }), "action"),
    ] {
        preview("ann", change).await.expect_invalid(field);
    }
    let upgrade = || json!({ "tier": "premium" });
    preview("bob", upgrade()).await.expect_problem(409, "no_subscription");
    let comp = "select comp_plan('cid', 'premium', null, null, 'test', farebox_now())";
    execute(&app.owner().await, comp).await;
    preview("cid", upgrade()).await.expect_problem(409, "no_subscription");
    app.change("ann", json!({ "action": "cancel" })).await.expect_status(200);
    preview("ann", upgrade()).await.expect_problem(409, "cancellation_pending");
    app.change("ann", json!({ "action": "resume" })).await.expect_status(200);
    app.simulator.delivered().await;
    app.give_card("ann", "pm_card_chargeCustomerFail").await;
    app.advance("32d").await;
    preview("ann", upgrade()).await.expect_problem(409, "not_in_good_standing");
    app.change("ann", json!({ "action": "cancel", "when": "now" })).await.expect_status(200);
    preview("ann", upgrade()).await.expect_problem(409, "no_subscription");
    assert_eq!(app.count("select count(*) from subscription_previews").await, 0);
}

/// FX-9: a preview reserves nothing. It is deleted a day later, and with its user.
#[tokio::test]
async fn a_preview_blocks_nothing_and_is_deleted() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "team", "interval": "monthly" })).await;
    for _ in 0..3 {
        app.preview("ann", json!({ "quantity": 2 })).await;
    }
    assert_eq!(app.count("select count(*) from subscription_previews").await, 3);
    let open = "select count(*) from stripe_requests where answered_at is null";
    assert_eq!(app.count(open).await, 0);
    app.session("ann", json!({ "pack": "ai_100" })).await;
    app.change("ann", json!({ "action": "change", "quantity": 3 })).await.expect_status(200);
    app.simulator.delivered().await;
    app.advance("2h").await;
    app.preview("ann", json!({ "quantity": 4 })).await;
    assert_eq!(app.count("select count(*) from subscription_previews").await, 1, "expired ones go");
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    assert_eq!(app.count("select count(*) from subscription_previews").await, 0);
}
