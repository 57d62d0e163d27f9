//! A checkout that is in progress at the moment of a deletion sells nothing and brings nothing
//! back.

use futures_util::future::join_all;
use serde_json::json;

use super::traces::{EMAIL, USER};
use crate::support::{Mode, Process, TestApp};

async fn expect_nothing_for_sale(app: &TestApp, case: &str) {
    app.simulator.delivered().await;
    app.run_jobs_later().await;
    assert_eq!(app.open_sessions(), 0, "{case}");
    assert_eq!(app.customers_at_stripe(), 0, "{case}");
    assert_eq!(app.traces(&[USER, EMAIL]).await, [""; 0], "{case}");
    assert_eq!(app.pending_erasures().await, 0, "{case}");
}

/// The answer of Stripe arrives after the deletion.
#[tokio::test]
async fn a_checkout_that_waits_for_stripe_sells_nothing() {
    join_all([1, 2].map(async |call| {
        for mode in [Mode::LoseRequest(call), Mode::LoseAnswer(call)] {
            let app = TestApp::selling("demo").await;
            app.stripe.set(mode).await;
            let order = json!({ "tier": "starter", "interval": "monthly", "email": EMAIL });
            let order = tokio::spawn(app.order(USER, order).send());
            app.stripe.lost().await;
            let delete = app.delete("/api/account").bearer(&app.token(USER)).send();
            let delete = tokio::spawn(delete);
            let erased = format!("select count(*) from accounts where id = '{USER}'");
            crate::support::until(async || app.count(&erased).await == 0).await;
            // The checkout's request is repeated, while the deletion repeats it too.
            app.stripe.set(Mode::Pass).await;
            let status = delete.await.unwrap().status;
            assert!([202, 204].contains(&status), "{mode:?}: {status}");
            let ordered = order.await.unwrap();
            assert!([403, 409, 503].contains(&ordered.status), "{mode:?}: {ordered:?}");
            expect_nothing_for_sale(&app, &format!("{mode:?}")).await;
        }
    }))
    .await;
}

/// The process was killed in the middle of a checkout, and nothing ever returns to it.
#[tokio::test]
async fn a_checkout_of_a_killed_process_sells_nothing() {
    for call in 1..=2 {
        for mode in [Mode::LoseRequest(call), Mode::LoseAnswer(call)] {
            let app = TestApp::selling("demo").await;
            let process = Process::serve(&app).await;
            app.stripe.set(mode).await;
            let order = json!({
                "tier": "starter", "interval": "monthly", "email": EMAIL,
                "successUrl": "https://app.example/done", "cancelUrl": "https://app.example/no",
            });
            let url = format!("{}/api/stripe/create-checkout-session", process.base);
            let order = reqwest::Client::new().post(url).bearer_auth(app.token(USER)).json(&order);
            let order = tokio::spawn(order.send());
            app.stripe.lost().await;
            process.kill().await;
            assert!(order.await.unwrap().is_err());
            app.stripe.set(Mode::Pass).await;
            assert_eq!(app.delete_account(USER).await, 204, "{mode:?}");
            expect_nothing_for_sale(&app, &format!("{mode:?}")).await;
        }
    }
}
