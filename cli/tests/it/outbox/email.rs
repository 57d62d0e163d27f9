use dev_services::mail::Mode;
use serde_json::{Value, json};
use shared::app::{App, PoolSize};
use shared::billing::outbox::ATTEMPTS;
use shared::config::Config;

use super::{PAUSE, counts, drain};
use crate::support::{Setup, TestApp};

/// Each kind of e-mail: its payload, its subject, and texts that it must contain.
fn letters() -> [(&'static str, Value, &'static str, [&'static str; 2]); 6] {
    [
        (
            "receipt",
            json!({
                "number": "A-1", "amount_minor": 1_999, "currency": "eur", "plan_name": "Pro",
                "period_start": 1_795_180_445, "period_end": 1_797_772_445,
                "hosted_url": "https://pay.example/1", "pdf_url": "https://pay.example/1.pdf",
            }),
            "Ihre Quittung über Bücher",
            ["€19.99", "20 Nov 2026 to 20 Dec 2026"],
        ),
        (
            "payment_failed",
            json!({
                "amount_minor": 500, "currency": "jpy", "hosted_url": "https://pay.example/2",
                "next_attempt_at": 1_795_180_445,
            }),
            "Your payment did not go through",
            ["¥500", "20 Nov 2026"],
        ),
        (
            "trial_ending",
            json!({
                "plan_name": "Pro", "trial_end": 1_795_180_445, "amount_minor": 5,
                "currency": "usd",
            }),
            "Your trial ends soon",
            ["$0.05", "20 Nov 2026"],
        ),
        (
            "canceled",
            json!({ "plan_name": "Pro", "ended_at": 1_795_180_445 }),
            "Your subscription has ended",
            ["Pro", "20 Nov 2026"],
        ),
        (
            "limit_near",
            json!({
                "feature_name": "Reports", "percent": 80, "used": 4, "limit": 5,
                "resets_at": 1_795_180_445,
            }),
            "How much you have used",
            ["Reports", "20 Nov 2026"],
        ),
        (
            "credits_used",
            json!({ "feature_name": "AI credits", "percent": 100, "balance": 0 }),
            "Your credits are running out",
            ["AI credits", "100 % used"],
        ),
    ]
}

/// PT-11: each kind of e-mail, as text and as HTML, with the subject of the settings.
#[tokio::test]
async fn every_kind_of_mail_arrives_as_text_and_as_html() {
    let setup = Setup::default().set("EMAIL_SUBJECT_RECEIPT", "Ihre Quittung über Bücher");
    let app = setup.set("EMAIL_PRODUCT_NAME", "Acme").start().await;
    app.create_user("ann").await;
    for (template, payload, subject, says) in letters() {
        let mut payload = payload;
        payload["template"] = template.into();
        let key = format!("{template}:1");
        app.enqueue("email", &key, "ann", payload.clone()).await;
        // Enqueued twice, it is sent once.
        app.enqueue("email", &key, "ann", payload).await;
        let began_at = app.clock.now().as_second();
        assert_eq!(app.drain().await, counts(1, 0, 0), "{template}");

        let message = app.mail.messages().pop().unwrap();
        assert_eq!(message.subject, subject);
        assert_eq!(message.to, ["ann@mail.example"]);
        assert_eq!(message.from, "billing@acme.example");
        assert!(message.header("from").contains("Acme"), "{message:?}");
        assert_eq!(message.header("x-farebox-user-id"), "ann");
        let during = began_at..=app.clock.now().as_second();
        let sent_at = message.sent_at_seconds.unwrap();
        assert!(during.contains(&sent_at), "the date is of the stack's clock: {sent_at}");
        assert_eq!(message.header("auto-submitted"), "auto-generated");
        assert_eq!(message.message_id, app.message_id(&key).await);
        for words in says.into_iter().chain(["Acme"]) {
            assert!(message.text.contains(words), "{words}: {}", message.text);
            assert!(message.html.contains(words), "{words}: {}", message.html);
        }
        assert!(message.html.contains("<html") && !message.text.contains('<'), "{message:?}");
    }
    assert_eq!(app.drain().await, counts(0, 0, 0), "everything was sent");
}

#[tokio::test]
async fn a_mail_server_that_is_away_gets_the_same_message_later() {
    let app = TestApp::new().await;
    app.create_user("ann").await;
    app.mail.set_mode(Mode::Refuses(451));
    app.enqueue_mail("1", "ann").await;
    assert_eq!(app.drain().await, counts(0, 1, 0));
    assert_eq!(app.drain().await, counts(0, 0, 0), "not before its delay");
    let row = app.row("receipt:1").await;
    assert_eq!(row["problem"], "the mail server answered 451");

    app.clock.advance(PAUSE);
    assert_eq!(app.drain().await, counts(0, 1, 0));
    app.mail.set_mode(Mode::Accepts);
    app.clock.advance(PAUSE);
    assert_eq!(app.drain().await, counts(1, 0, 0));
    assert_eq!(app.message_ids(), [app.message_id("receipt:1").await]);
}

/// The outcome of the first attempt is unknown. The message is sent again under the same
/// Message-ID.
#[tokio::test]
async fn a_message_whose_answer_was_lost_is_sent_again_under_the_same_id() {
    let app = TestApp::new().await;
    app.create_user("ann").await;
    app.mail.set_mode(Mode::DropsReply);
    app.enqueue_mail("1", "ann").await;
    assert_eq!(app.drain().await, counts(0, 1, 0));
    app.mail.set_mode(Mode::Accepts);
    app.clock.advance(PAUSE);
    assert_eq!(app.drain().await, counts(1, 0, 0));
    let id = app.message_id("receipt:1").await;
    assert_eq!(app.message_ids(), [id.clone(), id]);
}

#[tokio::test]
async fn mail_that_is_never_accepted_fails_permanently() {
    let app = TestApp::new().await;
    app.create_user("ann").await;
    app.mail.set_mode(Mode::Refuses(451));
    app.enqueue_mail("1", "ann").await;
    for _ in 1..ATTEMPTS {
        assert_eq!(app.drain().await, counts(0, 1, 0));
        app.clock.advance(PAUSE);
    }
    assert_eq!(app.drain().await, counts(0, 0, 1));
    app.clock.advance(PAUSE);
    assert_eq!(app.drain().await, counts(0, 0, 0));
    assert_eq!(app.count("select count(*) from outbox where failed_at is not null").await, 1);
}

/// A mailbox that does not exist is not retried for days, and operators are alerted.
#[tokio::test]
async fn mail_to_a_refusing_mailbox_is_not_retried() {
    let app = TestApp::new().await;
    app.create_user("ann").await;
    app.mail.set_mode(Mode::Refuses(550));
    app.enqueue_mail("1", "ann").await;
    for _ in 1..4 {
        assert_eq!(app.drain().await, counts(0, 1, 0));
        app.clock.advance(PAUSE);
    }
    assert_eq!(app.drain().await, counts(0, 0, 1));
    assert_eq!(app.count("select level from alerts where name = 'outbox'").await, 1);
}

#[tokio::test]
async fn a_user_without_an_address_gets_no_mail() {
    let app = TestApp::new().await;
    app.create_user("ann").await;
    app.sql("update stripe_customers set email = null").await;
    app.enqueue_mail("1", "ann").await;
    // The address may become known later.
    for _ in 1..5 {
        assert_eq!(app.drain().await, counts(0, 1, 0));
        app.clock.advance(PAUSE);
    }
    assert_eq!(app.drain().await, counts(1, 0, 0));
    assert_eq!(app.row("receipt:1").await["problem"], "no address");
    assert_eq!(app.message_ids(), [""; 0]);
}

/// The address of the customer that checkouts use, or otherwise of the newest customer.
#[tokio::test]
async fn a_user_with_several_customers_gets_one_email() {
    let app = TestApp::new().await;
    app.create_user("ann").await;
    app.sql(
        "insert into stripe_customers (id, user_id, created_at, email)
         values ('cus_2', 'ann', 'now', 'new@mail.example')",
    )
    .await;
    app.enqueue_mail("1", "ann").await;
    app.drain().await;
    app.sql("update accounts set stripe_customer_id = null").await;
    app.enqueue_mail("2", "ann").await;
    app.drain().await;
    let to: Vec<_> = app.mail.messages().into_iter().flat_map(|message| message.to).collect();
    assert_eq!(to, ["ann@mail.example", "new@mail.example"]);
}

#[tokio::test]
async fn an_erased_users_mail_is_never_sent() {
    let app = TestApp::new().await;
    app.create_user("ann").await;
    app.mail.set_mode(Mode::Refuses(451));
    app.enqueue_mail("1", "ann").await;
    app.drain().await;
    app.sql("select erase_user('ann', farebox_now())").await;
    app.mail.set_mode(Mode::Accepts);
    app.clock.advance(PAUSE);
    assert_eq!(app.drain().await, counts(0, 0, 0));
    assert_eq!(app.message_ids(), [""; 0]);
    assert_eq!(app.count("select count(*) from outbox where kind <> 'erasure'").await, 0);
}

#[tokio::test]
async fn without_a_mail_server_no_mail_is_sent() {
    let app = Setup::default().set("SMTP_URL", "").start().await;
    app.create_user("ann").await;
    app.enqueue_mail("1", "ann").await;
    assert_eq!(app.drain().await, counts(1, 0, 0));
    assert_eq!(app.row("receipt:1").await["problem"], "not configured");
}

#[tokio::test]
async fn a_mail_server_without_encryption_gets_no_message() {
    let app = TestApp::new().await;
    let url = app.mail.url().replace("smtp://", "smtps://ann:secret@");
    let mut settings = app.settings.clone();
    settings.insert("SMTP_URL".to_owned(), url);
    let config = Config::from_vars(|name| settings.get(name).cloned()).unwrap();
    let worker = App::new(config, app.clock.clone(), PoolSize::Function).unwrap();
    app.create_user("ann").await;
    app.enqueue_mail("1", "ann").await;
    assert_eq!(drain(&worker, 10).await.retried, 1);
    let problem = app.row("receipt:1").await["problem"].clone();
    assert_eq!(problem, "no connection to the mail server");
    assert_eq!(app.message_ids(), [""; 0]);
}

#[tokio::test]
async fn delivered_messages_are_deleted_after_a_month() {
    let app = TestApp::new().await;
    app.create_user("ann").await;
    app.enqueue_mail("1", "ann").await;
    app.drain().await;
    let deleted = async || {
        let done = app.get("/api/cron/daily").cron().send().await.expect_status(200).body;
        done["deleted"]["outbox"].clone()
    };
    assert_eq!(deleted().await, 0);
    app.clock.advance(jiff::SignedDuration::from_hours(24 * 31));
    assert_eq!(deleted().await, 1);
}
