//! Deletions that race everything else a user can do, and Stripe's events.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::traces::{EMAIL, USER};
use crate::support::events::Customer;
use crate::support::{TestApp, execute, until};

const ROUNDS: usize = 30;

/// The number of this database's sessions that wait for a lock.
const WAITING: &str = "select count(*) from pg_locks join pg_stat_activity using (pid)
                       where not granted and datname = current_database()";

async fn give_credits(app: &TestApp, user: &str) {
    let grant = format!(
        "select grant_credits('{user}', 'grant', 'ai_credit', 50, null, null, '{{}}', 'test', null,
           null, farebox_now())"
    );
    execute(&app.owner().await, &grant).await;
}

/// An event about the user that cannot be applied.
fn broken_event(app: &TestApp, user: &str, round: usize) -> Value {
    json!({
        "id": format!("evt_broken_{round}"), "object": "event", "livemode": false,
        "type": "customer.subscription.updated", "created": app.now().as_second(),
        "data": { "object": {
            "object": "subscription", "id": "sub_broken", "metadata": { "userId": user },
        } },
    })
}

/// No order resurrects the user, fails an event, or leaves anything.
#[tokio::test]
async fn a_deletion_wins_over_everything_that_races_it() {
    let app = TestApp::selling("demo").await;
    let (plan, pack) = (app.plan_sold("starter").await, app.pack_sold("ai_100").await);
    for round in 0..ROUNDS {
        let user = format!("{USER}-{round}");
        let token = app.token(&user);
        let customer = Customer::without_user(&format!("c{round}"), app.now().as_second());
        give_credits(&app, &user).await;
        app.post("/api/session").bearer(&token).send().await.expect_status(200);
        if round % 2 == 0 {
            app.deliver(&customer.named(0, &user)).await.expect_status(200);
        }
        let events = [
            customer.named(0, &user),
            customer.paid(0, "pack", "ai_100", &pack),
            customer.subscribed("created", 0, &customer.subscription("1", "active", &plan)),
            customer.invoiced("paid", 1, "1", &plan),
            broken_event(&app, &user, round),
        ];
        let chat = json!({ "summary": EMAIL, "content": EMAIL });
        let spend = json!({ "action": "spend", "unit": "ai_credit", "amount": 1 });
        let usage = json!({ "feature": "reports", "metadata": { "of": EMAIL } });
        let review = json!({ "kind": "review", "title": EMAIL });
        let calls = || {
            let call = |method, path| app.call(method, path).bearer(&token);
            [
                call("POST", "/api/session").send(),
                call("POST", "/api/chat/save").json(chat.clone()).send(),
                call("POST", "/api/credits").json(spend.clone()).send(),
                call("POST", "/api/usage").json(usage.clone()).send(),
                call("POST", "/api/history").json(review.clone()).send(),
                call("GET", "/api/history").send(),
                call("GET", "/api/entitlements").send(),
                call("GET", "/api/account").send(),
            ]
        };
        let order = app.order(&user, json!({ "pack": "ai_100", "email": EMAIL })).send();
        let delivered = join_all(events.iter().map(|event| app.deliver(event)));
        let called = join_all(calls().into_iter().chain(calls()));
        let deletions = [(); 2].map(|()| app.delete("/api/account").bearer(&token).send());
        let (delivered, called, ordered, deleted) =
            tokio::join!(delivered, called, order, join_all(deletions));
        for answer in delivered {
            assert_eq!(answer.status, 200, "round {round}: Stripe got {answer:?}");
        }
        for answer in called.into_iter().chain([ordered]) {
            let is_fine = [200, 403, 409].contains(&answer.status);
            assert!(is_fine, "round {round}: {answer:?}");
        }
        for answer in deleted {
            assert!([202, 204].contains(&answer.status), "round {round}: {answer:?}");
        }
    }
    app.simulator.delivered().await;
    app.run_jobs_later().await;
    app.run_jobs_later().await;
    assert_eq!(app.traces(&[USER, EMAIL]).await, [""; 0]);
    assert_eq!(app.pending_erasures().await, 0);
    assert_eq!(app.customers_at_stripe(), 0);
    assert_eq!(app.open_sessions(), 0);
    for (what, count) in [
        ("accounts", 0),
        ("validate_credits_consistency()", 0),
        ("credit_transactions where user_id not like 'erased:%'", 0),
        ("stripe_customers where user_id is not null", 0),
        ("erased_users", ROUNDS as i64),
    ] {
        assert_eq!(app.count(&format!("select count(*) from {what}")).await, count, "{what}");
    }
}

/// A deletion of a user without any data, by a trusted server, and again and again.
#[tokio::test]
async fn deletions_of_an_unknown_user_are_harmless() {
    let app = TestApp::selling("demo").await;
    let delete = |key: &str| app.delete("/api/account").query("userId", USER).bearer(key).send();
    for key in [&app.service_key, &app.admin_key] {
        for answer in join_all((0..4).map(|_| delete(key))).await {
            assert!([202, 204].contains(&answer.status), "{answer:?}");
        }
    }
    delete(&app.service_key).await.expect_status(204);
    assert_eq!(app.count("select count(*) from erased_users").await, 1);
    assert_eq!(app.count("select count(*) from outbox").await, 1);
    assert_eq!(app.traces(&[USER]).await, [""; 0]);
    let unnamed = app.delete("/api/account").bearer(&app.service_key).send().await;
    unnamed.expect_invalid("userId");
}

/// A customer that is assigned to the user during the deletion is deleted too: the call starts
/// over.
#[tokio::test]
async fn a_customer_that_comes_in_between_is_erased_too() {
    let app = TestApp::selling("demo").await;
    let owner = app.owner().await;
    let held = app.owner().await;
    let sql = format!("insert into accounts (id, created_at) values ('{USER}', farebox_now())");
    execute(&owner, &sql).await;
    // This transaction holds the account, and gives the user a customer.
    execute(&held, "begin").await;
    let sql = format!(
        "select 1 from accounts where id = '{USER}' for update;
         insert into stripe_customers (id, user_id, email, created_at)
         values ('cus_late', '{USER}', '{EMAIL}', farebox_now())"
    );
    execute(&held, &sql).await;
    let delete = tokio::spawn(app.delete("/api/account").bearer(&app.token(USER)).send());
    until(async || app.count(WAITING).await > 0).await;
    execute(&held, "commit").await;
    delete.await.unwrap().expect_status(204);
    assert_eq!(app.traces(&[USER, EMAIL, "cus_late"]).await, [""; 0]);
    let marks = "select count(*) from erased_customers";
    assert_eq!(app.count(marks).await, 1);
}

/// An event that cannot be applied waits for a deletion of its user, and stores nothing.
#[tokio::test]
async fn a_dead_letter_that_comes_in_between_is_not_stored() {
    let app = TestApp::selling("demo").await;
    for is_first in [true, false] {
        let user = format!("{USER}-{is_first}");
        let (erasing, failing) = (app.owner().await, app.owner().await);
        let sql = format!("insert into accounts (id, created_at) values ('{user}', farebox_now())");
        execute(&erasing, &sql).await;
        let erase = format!("select erase_user('{user}', farebox_now())");
        let fail = format!(
            "select fail_webhook('{{\"id\": \"evt_{is_first}\", \"type\": \"t\", \"user_id\": \"{user}\"}}',
               farebox_now(), 'a cause', '{EMAIL}', farebox_now())"
        );
        let (first, second) = if is_first { (&erasing, &failing) } else { (&failing, &erasing) };
        let (one, other) = if is_first { (&erase, &fail) } else { (&fail, &erase) };
        execute(first, "begin").await;
        execute(first, one).await;
        let waits = async {
            until(async || app.count(WAITING).await > 0).await;
            execute(first, "commit").await;
        };
        let second = async {
            // A dead letter that was not locked in order makes the erasure start over.
            while let Err(error) = second.query_typed(other, &[]).await {
                assert_eq!(error.code().unwrap().code(), "40001");
            }
        };
        tokio::join!(waits, second);
        app.run_jobs_later().await;
        assert_eq!(app.traces(&[&user, EMAIL]).await, [""; 0], "the erasure first: {is_first}");
    }
}
