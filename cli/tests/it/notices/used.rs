//! That a limit comes near, or credits come to an end.

use serde_json::json;

use crate::support::TestApp;

const NEAR: &str = "How much you have used";
const RUNNING_OUT: &str = "Your credits are running out";

impl TestApp {
    async fn uses(&self, user: &str, feature: &str, quantity: i64) {
        let report = json!({ "feature": feature, "quantity": quantity });
        let call = self.post("/api/usage").bearer(&self.token(user)).json(report);
        call.send().await.expect_status(200);
    }

    async fn spends(&self, user: &str, amount: i64) {
        let spend = json!({ "action": "spend", "unit": "ai_credit", "amount": amount });
        let call = self.post("/api/credits").bearer(&self.token(user)).json(spend);
        call.send().await.expect_status(200);
    }

    /// What was written under a subject, in its order, once everything is.
    async fn written(&self, subject: &str) -> Vec<String> {
        self.all_are_told().await;
        let messages = self.mail.messages().into_iter();
        messages.filter(|one| one.subject == subject).map(|one| one.text).collect()
    }
}

/// At four fifths of a limit and at all of it, once a period each; not of what starts again every day.
#[tokio::test]
async fn whoever_comes_near_a_limit_hears_of_it_once() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "pack": "ai_100", "email": "ann@mail.example" })).await;
    app.uses("ann", "reports", 3).await;
    app.uses("ann", "api_calls", 100).await;
    assert_eq!(app.written(NEAR).await, [""; 0]);
    app.uses("ann", "reports", 1).await;
    let [near] = &app.written(NEAR).await[..] else { panic!("{:?}", app.mail.messages()) };
    assert!(
        near.contains("Reports: 4 of 5 (80 %)") && near.contains("starts again on 1 "),
        "{near}"
    );
    app.uses("ann", "reports", 1).await;
    let over = app.post("/api/usage").bearer(&app.token("ann"));
    over.json(json!({ "feature": "reports" })).send().await.expect_status(402);
    let [_, reached] = &app.written(NEAR).await[..] else { panic!("{:?}", app.mail.messages()) };
    assert!(reached.contains("Reports: 5 of 5 (100 %)"), "{reached}");

    app.clock.advance(jiff::SignedDuration::from_hours(24 * 31));
    app.uses("ann", "reports", 5).await;
    let [.., again] = &app.written(NEAR).await[..] else { panic!("{:?}", app.mail.messages()) };
    assert!(again.contains("(100 %)"), "all at once is all: {again}");
    assert_eq!(app.written(NEAR).await.len(), 3);
    app.uses("ann", "dashboards", 1).await;
    let [.., never] = &app.written(NEAR).await[..] else { panic!("{:?}", app.mail.messages()) };
    assert!(never.contains("Dashboards: 1 of 1") && !never.contains("starts again"), "{never}");
}

/// When four fifths of what came in last are spent, and when all of it is, once each.
#[tokio::test]
async fn whoever_runs_out_of_credits_hears_of_it_once() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "pack": "ai_100", "email": "ann@mail.example" })).await;
    app.spends("ann", 79).await;
    assert_eq!(app.written(RUNNING_OUT).await, [""; 0]);
    app.spends("ann", 1).await;
    app.spends("ann", 5).await;
    let [near] = &app.written(RUNNING_OUT).await[..] else { panic!("{:?}", app.mail.messages()) };
    assert!(near.contains("AI credits: 20 left, 80 % used"), "{near}");
    app.spends("ann", 15).await;
    let [_, all] = &app.written(RUNNING_OUT).await[..] else { panic!("{:?}", app.mail.messages()) };
    assert!(all.contains("AI credits: 0 left, 100 % used"), "{all}");
    app.buy("ann", json!({ "pack": "ai_100" })).await;
    app.spends("ann", 85).await;
    assert_eq!(app.written(RUNNING_OUT).await.len(), 3, "what came in is counted anew");
}
