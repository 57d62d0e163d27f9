//! Verification of the whole ledger, over HTTP and from the command line (CP-4).

use std::process::Output;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::events::Customer;
use crate::support::{TestApp, execute};

impl TestApp {
    /// An admin's report, collected from all pages.
    async fn ledger_report(&self) -> Value {
        let mut cursor: Option<String> = None;
        let (mut rows, mut users, mut problems) = (0, 0, Vec::new());
        loop {
            let mut call = self.get("/api/admin/ledger").bearer(&self.admin_key);
            if let Some(cursor) = &cursor {
                call = call.query("cursor", cursor);
            }
            let page = call.send().await.expect_status(200).body;
            rows += page["rows"].as_i64().unwrap();
            users += page["users"].as_i64().unwrap();
            problems.extend(
                page["problems"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|problem| json!([problem["userId"], problem["seq"], problem["problem"]])),
            );
            match page["nextCursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return json!({ "rows": rows, "users": users, "problems": problems }),
            }
        }
    }

    async fn verify(&self) -> (bool, String) {
        let Output { status, stdout, stderr } = self.farebox(&["ledger", "verify"]).await;
        (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap())
    }
}

/// CP-4: a consistent ledger has no problems, also after an erasure.
#[tokio::test]
async fn a_consistent_ledger_has_no_problems() {
    let app = TestApp::selling("demo").await;
    let payment = app.buy_pack("ann", "ai_100").await;
    app.refund(&payment, "100").await;
    app.spend("ann", "ai_credit", 80).send().await.expect_status(200);
    app.refund(&payment, "400").await;
    let pack = app.pack_sold("ai_1000").await;
    let bob = Customer::of("bob", app.now().as_second());
    app.deliver(&bob.paid(0, "p", "ai_1000", &pack)).await.expect_status(200);
    let mut free = Customer::of("dan", app.now().as_second()).paid(0, "p", "ai_100", &pack);
    let session = &mut free["data"]["object"];
    session["payment_status"] = "no_payment_required".into();
    session["payment_intent"] = Value::Null;
    session["amount_subtotal"] = 500.into();
    session["amount_total"] = 0.into();
    app.deliver(&free).await.expect_status(200);
    assert_eq!(app.held("dan", "ai_credit").await["balance"], 100);
    app.grant("cat", "ai_credit", 5, json!({})).await;
    app.delete("/api/account").bearer(&app.token("cat")).send().await.expect_status(204);
    assert_eq!(app.ledger_report().await, json!({ "rows": 7, "users": 3, "problems": [] }));
    let (done, output) = app.verify().await;
    assert!(done, "{output}");
    assert_eq!(output, "rows      7\nusers     3\nproblems  0\n");
}

/// Changes during the verification are no problems.
#[tokio::test]
async fn a_ledger_in_use_has_no_problems() {
    let app = TestApp::selling("credits").await;
    app.grant("ann", "credit", 1_000, json!({})).await;
    for _ in 0..10 {
        let spends = join_all((0..30).map(|_| app.spend("ann", "credit", 1).send()));
        let reports = join_all((0..5).map(|_| app.ledger_report()));
        let (_, reports) = tokio::join!(spends, reports);
        for report in reports {
            assert_eq!(report["problems"], json!([]));
        }
    }
    assert_eq!(app.balance("ann").await, 700);
}

/// Damage, the user and entry where it is found, and the problem that is reported.
const DAMAGES: [(&str, &str, Option<i64>, &str); 15] = [
    ("update wallets set balance = 7", "ann", None, "the balance of credit is not the ledger's"),
    (
        "update wallets set head_left = 7",
        "ann",
        None,
        "the grants of credit do not sum to its balance",
    ),
    (
        "update wallets set head_id = null",
        "ann",
        None,
        "the grants of credit do not sum to its balance",
    ),
    (
        "insert into credit_grants (user_id, unit, kind, amount, remaining, priority, created_at)
         values ('ann', 'credit', 'grant', 1, 1, 0, farebox_now())",
        "ann",
        None,
        "the head of credit is not the grant to spend first",
    ),
    ("delete from credit_grants", "ann", None, "the grants of credit do not sum to its balance"),
    (
        "update wallets set seq = 7",
        "ann",
        None,
        "the number of the last entry of credit is not the wallet's",
    ),
    ("delete from wallets", "ann", Some(1), "its wallet is missing"),
    (
        "delete from credit_transactions where seq = 2",
        "ann",
        Some(3),
        "its number does not follow the one before",
    ),
    (
        "delete from credit_transactions where seq = 3",
        "ann",
        None,
        "the number of the last entry of credit is not the wallet's",
    ),
    (
        "delete from credit_transactions where seq = 1",
        "ann",
        Some(2),
        "its number does not follow the one before",
    ),
    (
        "update credit_transactions set balance_after = 7 where seq = 2",
        "ann",
        Some(2),
        "its balance does not follow from the one before",
    ),
    (
        "update credit_transactions set delta = 7 where seq = 2",
        "ann",
        Some(2),
        "its balance does not follow from the one before",
    ),
    (
        "update credit_transactions set user_id = 'nobody' where seq = 3",
        "nobody",
        Some(3),
        "its user has no account",
    ),
    (
        "update credit_transactions set payment_id = null where seq = 1",
        "ann",
        Some(1),
        "its payment is missing or did not succeed",
    ),
    (
        "update payments set status = 'failed'",
        "ann",
        Some(1),
        "its payment is missing or did not succeed",
    ),
];

/// CP-4: each problem is reported, with the user concerned.
#[tokio::test]
async fn each_problem_of_a_ledger_is_reported() {
    for (damage, whose, seq, problem) in DAMAGES {
        let app = TestApp::selling("credits").await;
        app.buy_pack("ann", "starter").await;
        app.spend("ann", "credit", 10).send().await.expect_status(200);
        app.spend("ann", "credit", 20).send().await.expect_status(200);
        let owner = app.owner().await;
        execute(&owner, "alter table credit_transactions disable trigger user").await;
        execute(&owner, damage).await;
        let report = app.ledger_report().await;
        let problems = report["problems"].as_array().unwrap();
        assert!(problems.contains(&json!([whose, seq, problem])), "{damage}: {report}");
        let (done, output) = app.verify().await;
        let line = match seq {
            Some(seq) => format!("{whose}, entry credit:{seq}: {problem}\n"),
            None => format!("{whose}: {problem}\n"),
        };
        assert!(!done && output.contains(&line), "{damage}: {output}");
        assert!(output.ends_with(&format!("problems  {}\n", problems.len())), "{damage}: {output}");
    }
}

/// The check covers all pages, whatever the user ids are, and reports a problem at a page boundary
/// once.
#[tokio::test]
async fn a_ledger_of_many_pages_is_checked_to_its_end() {
    let app = TestApp::selling("credits").await;
    let owner = app.owner().await;
    execute(
        &owner,
        "insert into accounts (id, created_at)
         select 'user ' || n, farebox_now() from generate_series(1, 1200) n;
         insert into wallets (user_id, unit, seq, version, due_at, balance, topped_up)
         select id, 'credit', 10, 1, '-infinity', 10, 10 from accounts;
         insert into credit_grants (user_id, unit, kind, amount, remaining, priority, created_at)
         select id, 'credit', 'grant', 10, 10, 50, farebox_now() from accounts;
         insert into credit_transactions (user_id, seq, unit, delta, balance_after, kind, created_at)
         select id, n, 'credit', 1, n, 'grant', farebox_now() from accounts, generate_series(1, 10) n",
    )
    .await;
    let right = json!({ "rows": 12_000, "users": 1_200, "problems": [] });
    assert_eq!(app.ledger_report().await, right);
    execute(
        &owner,
        "alter table credit_transactions disable trigger user;
         update credit_transactions set delta = 2 where seq = 4;
         update wallets set balance = 11, seq = 11",
    )
    .await;
    let report = app.ledger_report().await;
    assert_eq!(report["problems"].as_array().unwrap().len(), 3_600);
    let (done, output) = app.verify().await;
    assert!(
        !done && output.ends_with("rows      12000\nusers     1200\nproblems  3600\n"),
        "{}",
        output.len()
    );
    let call = |cursor: &str| {
        app.get("/api/admin/ledger").query("cursor", cursor).bearer(&app.admin_key).send()
    };
    // The last cursor has a user id with a character that no id may contain: {"User":"\u0000"}.
    for cursor in ["x", "e30", "eyJVc2VyIjoiXHUwMDAwIn0"] {
        call(cursor).await.expect_invalid("cursor");
    }
}
