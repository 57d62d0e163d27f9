use std::collections::BTreeMap;

use serde_json::json;

use crate::support::TestApp;

/// PT-11: a clock that jumps between renewals overtakes undelivered messages. Each message is still
/// sent once.
#[tokio::test]
async fn a_clock_that_jumps_a_year_sends_each_message_once() {
    let app = TestApp::selling("paintracker").await;
    let order = json!({ "tier": "basic", "interval": "monthly", "email": "ann@mail.example" });
    app.buy("ann", order).await;
    app.advance("1y").await;
    app.deliver_outbox().await;
    let mut sent = BTreeMap::<String, usize>::new();
    for message in app.mail.messages() {
        *sent.entry(message.message_id).or_default() += 1;
    }
    assert!(sent.len() >= 12, "a receipt a month and the trial notice: {sent:?}");
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
}
