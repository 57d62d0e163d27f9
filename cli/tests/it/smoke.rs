//! `farebox smoke` (CR-8): each step passes on a healthy deployment, and the right one fails, with
//! the right fix, on a broken one.

mod front;

use std::sync::atomic::Ordering;
use std::time::Duration;

use farebox::smoke::{self, Options, StripeAccess};
use farebox::terminal::checks::{Check, CheckReport, Output};
use shared::config::Secret;

use crate::support::{CRON_SECRET, Mode, Setup, TestApp};
use front::Front;

const STEPS: [&str; 19] = [
    "health",
    "ready",
    "sign-in",
    "dashboard",
    "mood",
    "plans",
    "checkout",
    "payment",
    "webhook",
    "entitlements",
    "check",
    "usage",
    "credits",
    "cron",
    "no token",
    "user token",
    "other user",
    "signature",
    "clean-up",
];

/// Longer than a webhook takes on a busy machine.
const ENOUGH: Duration = Duration::from_secs(30);
/// Long enough to see that no webhook arrives.
const BRIEFLY: Duration = Duration::from_millis(600);

async fn deployment() -> TestApp {
    Setup::default().sells("demo").start().await
}

fn options(app: &TestApp) -> Options {
    Options {
        admin_key: Some(Secret::new(&app.admin_key)),
        user_token: Some(Secret::new(app.token("ann"))),
        cron_secret: Some(Secret::new(CRON_SECRET)),
        origin: Some("https://app.example".to_owned()),
        webhook_wait: ENOUGH,
        ..Options::new(&app.base, Secret::new(&app.service_key))
    }
}

fn stripe(app: &TestApp) -> Option<StripeAccess> {
    let secret_key = Secret::new(&app.settings["STRIPE_SECRET_KEY"]);
    Some(StripeAccess { secret_key, api_url: Some(app.simulator.base().to_owned()) })
}

async fn play(options: &Options) -> CheckReport {
    smoke::run(options, Output::Silent).await
}

/// The names of the steps with that result.
fn named(report: &CheckReport, ok: Option<bool>) -> Vec<&str> {
    let with = report.checks().iter().filter(|check| check.ok == ok);
    with.map(|check| check.name.as_str()).collect()
}

fn check<'a>(report: &'a CheckReport, name: &str) -> &'a Check {
    let found = report.checks().iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("no step {name}: {report:#?}"))
}

/// Asserts that this step failed, and that its fix contains these words.
fn assert_fix(report: &CheckReport, name: &str, words: &str) {
    let check = check(report, name);
    let fix = check.fix.as_deref().unwrap_or_default();
    assert!(check.ok == Some(false) && fix.contains(words), "{words}: {check:?}");
}

/// Two stories at once do not disturb each other, and leave nothing behind.
#[tokio::test]
async fn every_step_passes_on_a_healthy_deployment() {
    let app = deployment().await;
    let options = options(&app);
    let (one, other) = tokio::join!(play(&options), play(&options));
    for report in [one, other] {
        assert_eq!(named(&report, Some(true)), STEPS, "{report:#?}");
        assert!(check(&report, "plans").found.contains("starter, monthly, costs $9.00"));
        assert!(check(&report, "ready").found.starts_with("Postgres answers in "), "{report:#?}");
    }
    assert_eq!(app.count("select count(*) from accounts").await, 0);
    let subscriptions = app.at_stripe("subscription");
    assert!(subscriptions.iter().all(|it| it["status"] == "canceled") && subscriptions.len() == 2);
}

#[tokio::test]
async fn with_a_key_it_pays_through_stripes_api() {
    let app = deployment().await;
    let plan = Some("pro".to_owned());
    let report = play(&Options { stripe: stripe(&app), plan, ..options(&app) }).await;
    assert_eq!(named(&report, Some(true)), STEPS, "{report:#?}");
    assert!(check(&report, "payment").found.starts_with("Stripe has the subscription sub_"));
    assert_eq!(app.at_stripe("subscription")[0]["status"], "canceled");
    assert_eq!(app.open_sessions(), 0);
}

#[tokio::test]
async fn without_optional_keys_their_steps_are_skipped() {
    let app = deployment().await;
    let origin = Some("https://app.example".to_owned());
    let few = Options { origin, ..Options::new(&app.base, Secret::new(&app.service_key)) };
    let report = play(&few).await;
    assert_eq!(named(&report, None), ["cron", "user token", "other user"]);
    assert!(report.is_well(), "{report:#?}");
}

#[tokio::test]
async fn a_wrong_service_key_fails_the_sign_in() {
    let app = deployment().await;
    let service_key = Secret::new("fb_service_of_another_deployment");
    let report = play(&Options { service_key, ..options(&app) }).await;
    assert_eq!(named(&report, Some(false)), ["sign-in"]);
    assert_fix(&report, "sign-in", "FAREBOX_SERVICE_KEY");
    let passed = ["health", "ready", "plans", "cron", "no token", "user token", "other user"];
    assert_eq!(named(&report, Some(true)), [&passed[..], &["signature"]].concat());
    assert!(!format!("{report:?}").contains("of_another_deployment"), "the key is secret");
}

#[tokio::test]
async fn a_wrong_cron_secret_fails_only_the_cron_step() {
    let app = deployment().await;
    let cron_secret = Some(Secret::new("another-secret-of-16-characters"));
    let report = play(&Options { cron_secret, ..options(&app) }).await;
    assert_eq!(named(&report, Some(false)), ["cron"]);
    assert_fix(&report, "cron", "CRON_SECRET");
}

#[tokio::test]
async fn a_lost_webhook_fails_the_webhook_step() {
    let app = deployment().await;
    app.lose_webhooks();
    let impatient = Options { webhook_wait: BRIEFLY, ..options(&app) };
    let report = play(&impatient).await;
    assert_eq!(named(&report, Some(false)), ["webhook"], "{report:#?}");
    assert_fix(&report, "webhook", "/simulator shows each event");

    let elsewhere = [("url", "https://old.example/api/stripe/webhook"), ("enabled_events[]", "*")];
    app.ask_stripe("POST", "/v1/webhook_endpoints", &elsewhere).await;
    let report = play(&Options { stripe: stripe(&app), ..impatient }).await;
    assert_fix(&report, "webhook", "it has https://old.example/api/stripe/webhook");
}

#[tokio::test]
async fn a_stopped_redis_fails_the_steps_that_need_it() {
    let app = deployment().await;
    app.redis.set(Mode::Down).await;
    let report = play(&options(&app)).await;
    let failed = ["ready", "sign-in", "dashboard", "mood"];
    assert_eq!(named(&report, Some(false)), failed, "{report:#?}");
    assert_fix(&report, "ready", "UPSTASH_REDIS_REST_URL");
    assert_fix(&report, "sign-in", "farebox doctor");
    assert!(check(&report, "clean-up").found.contains("the minute job finishes the rest"));
}

#[tokio::test]
async fn a_stopped_postgres_fails_the_steps_that_need_it() {
    let app = deployment().await;
    app.postgres.set(Mode::Down).await;
    let report = play(&options(&app)).await;
    let failed = named(&report, Some(false));
    assert!(failed.starts_with(&["ready"]) && failed.contains(&"plans"), "{report:#?}");
    assert_fix(&report, "ready", "DATABASE_URL");
    assert_fix(&report, "plans", "farebox doctor");
    for name in ["checkout", "payment", "webhook"] {
        assert_eq!(check(&report, name).ok, None, "{report:#?}");
    }
    assert_eq!(check(&report, "mood").ok, Some(true), "Redis answers: {report:#?}");
}

#[tokio::test]
async fn a_live_key_or_an_open_connection_is_refused_before_anything_is_sent() {
    let front = Front::default();
    let app = deployment().await;
    let url = front.clone().start(&app).await;
    for key in ["sk_live_1", "rk_live_1", "whsec_1"] {
        let stripe = Some(StripeAccess { secret_key: Secret::new(key), api_url: None });
        let report = play(&Options { url: url.clone(), stripe, ..options(&app) }).await;
        assert_eq!(report.checks().len(), 1, "{report:#?}");
        assert_fix(&report, "options", "sk_test_");
        assert!(!format!("{report:?}").contains(key));
    }
    let report = play(&Options { url: "billing.example.com".to_owned(), ..options(&app) }).await;
    assert_fix(&report, "options", "--url https://");
    let port = url.rsplit(':').next().unwrap();
    for host in ["127.0.0.1.example", "10.0.0.1", "farebox"] {
        let report = play(&Options { url: format!("http://{host}:{port}"), ..options(&app) }).await;
        assert_eq!(report.checks().len(), 1, "{report:#?}");
        assert_fix(&report, "options", "https URL");
    }
    assert_eq!(front.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_deployment_in_live_mode_sells_nothing() {
    let app = deployment().await;
    let front = Front { is_live: true, ..Front::default() }.start(&app).await;
    let report = play(&Options { url: front, ..options(&app) }).await;
    assert_eq!(named(&report, Some(false)), ["checkout"], "{report:#?}");
    assert_fix(&report, "checkout", "live mode");
    assert_eq!(check(&report, "payment").ok, None);
    assert_eq!(app.open_sessions(), 0, "the clean-up closes the session");
}

#[tokio::test]
async fn a_web_page_is_not_farebox() {
    let app = deployment().await;
    let url = format!("{}/simulator", app.simulator.base());
    let report = play(&Options { url, ..options(&app) }).await;
    assert_eq!(named(&report, Some(false)), ["health"]);
    assert_eq!(report.checks().len(), 1, "{report:#?}");
    let unknown = format!("{}/prod", app.base);
    let report = play(&Options { url: unknown, ..options(&app) }).await;
    assert_fix(&report, "health", "API Gateway stage");
}

#[tokio::test]
async fn deployment_protection_is_recognized_and_passed() {
    let app = deployment().await;
    let front = Front { bypass: Some("the-bypass"), ..Front::default() }.start(&app).await;
    let options = Options { url: front, webhook_wait: BRIEFLY, ..options(&app) };
    let report = play(&options).await;
    assert_fix(&report, "health", "--bypass");
    assert_eq!(report.checks().len(), 1, "{report:#?}");

    app.lose_webhooks();
    let bypass = Some(Secret::new("the-bypass"));
    let report = play(&Options { bypass, ..options }).await;
    assert_eq!(named(&report, Some(false)), ["webhook"], "{report:#?}");
    assert_fix(&report, "webhook", "deployment protection blocks Stripe");
}

#[tokio::test]
async fn a_refused_origin_or_plan_names_the_option() {
    let app = deployment().await;
    let origin = Some("https://elsewhere.example".to_owned());
    assert_fix(&play(&Options { origin, ..options(&app) }).await, "checkout", "--origin");
    // The URL's own origin is a guess, which the deployment need not allow.
    let report = play(&Options { origin: None, ..options(&app) }).await;
    assert!(report.is_well(), "{report:#?}");
    let checkout = check(&report, "checkout");
    assert!(checkout.ok.is_none() && checkout.found.contains("--origin"), "{checkout:?}");
    let plan = Some("gold".to_owned());
    let report = play(&Options { plan, ..options(&app) }).await;
    assert_fix(&report, "plans", "--plan: starter, pro, team.");
}
