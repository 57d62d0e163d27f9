use std::collections::BTreeMap;

use serde_json::json;

use crate::support::TestApp;

/// PT-11: a clock that leaps from one renewal to the next overtakes the messages on their way; each is
/// sent once all the same.
#[tokio::test]
async fn a_year_that_passes_in_a_moment_sends_each_message_once() {
    let app = TestApp::selling("paintracker").await;
    let order = json!({ "tier": "basic", "interval": "monthly", "email": "ann@mail.example" });
    app.buy("ann", order).await;
    app.advance("1y").await;
    app.all_are_told().await;
    let mut sent = BTreeMap::<String, usize>::new();
    for message in app.mail.messages() {
        *sent.entry(message.message_id).or_default() += 1;
    }
    assert!(sent.len() >= 12, "a receipt a month, and the end of the trial: {sent:?}");
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
}
