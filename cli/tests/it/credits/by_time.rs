//! Periods, with their plan credits, that begin by time alone. Stripe's later event confirms or
//! corrects them.

use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use serde_json::{Value, json};

use crate::calendar::months_after;
use crate::support::events::{Customer, Sold};
use crate::support::{Setup, TestApp};
use crate::webhook::guards::change;
use crate::webhook::orders::orders;

const DAY: i64 = 86_400;

fn months_later(at: i64, months: i32) -> i64 {
    let at = Timestamp::from_second(at).unwrap().to_zoned(TimeZone::UTC);
    at.checked_add(months.months()).unwrap().timestamp().as_second()
}

/// A subscription whose months count from `anchor`, in the month that begins at `starts`.
fn subscription(ann: &Customer, status: &str, sold: &Sold, (anchor, starts): (i64, i64)) -> Value {
    let mut subscription = ann.subscription("1", status, sold);
    subscription["billing_cycle_anchor"] = anchor.into();
    let item = &mut subscription["items"]["data"][0];
    item["current_period_start"] = starts.into();
    item["current_period_end"] = months_later(starts, 1).into();
    subscription
}

impl TestApp {
    async fn apply_event(&self, event: &Value) {
        self.deliver(event).await.expect_status(200);
    }

    async fn left_of(&self, user: &str) -> i64 {
        self.held(user, "ai_credit").await["balance"].as_i64().unwrap()
    }

    /// Advances to a minute after the end of the given number of months since `since`.
    async fn advance_months(&self, since: Timestamp, months: i64) {
        let then = months_after(since, months) + SignedDuration::from_mins(1);
        self.advance_to(then).await;
    }

    /// Buys the plan by the month; returns the start of the subscription.
    async fn buys_monthly(&self, user: &str, plan: &str) -> Timestamp {
        self.buy(user, json!({ "tier": plan, "interval": "monthly" })).await;
        let since = &self.subscription(user).await["subscription"]["currentPeriodStart"];
        since.as_str().unwrap().parse().unwrap()
    }
}

/// A month from this moment ends on 28 March; with an anchor on 31 January it ends three days
/// later.
const END_OF_FEBRUARY: &str = "2026-02-28T12:00:00Z";

/// With every webhook lost, a subscriber has the next period's credits a minute after it began. A
/// renewal that is applied late grants no more.
#[tokio::test]
async fn a_period_has_its_credits_before_stripes_event() {
    let app = TestApp::selling("demo").await;
    let since = app.buys_monthly("ann", "team").await;
    app.spend("ann", "ai_credit", 499).send().await.expect_status(200);
    app.lose_webhooks();
    let mut ledger = vec![json!(["plan", 500, 500]), json!(["spend", -499, 1])];
    let mut left = 1;
    for month in 1..=2 {
        app.advance_months(since, month).await;
        let shown = app.get("/api/entitlements").bearer(&app.token("ann")).send().await;
        let shown = shown.expect_status(200).body;
        assert_eq!(shown["status"], "active");
        assert_eq!(shown["credits"]["ai_credit"]["balance"], 500);
        let question = json!({ "feature": "ai_credits", "quantity": 500 });
        let asked = app.post("/api/check").bearer(&app.token("ann")).json(question).send().await;
        assert_eq!(asked.expect_status(200).body["allowed"], true);
        ledger.extend([json!(["expiry", -left, 0]), json!(["plan", 500, 500])]);
        left = 500;
    }
    for mut event in app.at_stripe("event") {
        let kind = event["type"].as_str().unwrap().to_owned();
        if kind.starts_with("customer.subscription.") || kind.starts_with("invoice.") {
            for again in ["late", "twice"] {
                event["id"] = format!("evt_{again}_{}", event["id"].as_str().unwrap()).into();
                app.apply_event(&event).await;
            }
        }
        app.two_jobs().await;
    }
    assert_eq!(app.ledger("ann").await, Value::from(ledger));
    app.books_are_right().await;
}

/// A new period is granted once, however many calls and jobs race to begin it.
#[tokio::test]
async fn concurrent_reads_begin_one_period() {
    let app = TestApp::selling("demo").await;
    let since = app.buys_monthly("ann", "team").await;
    app.lose_webhooks();
    app.advance_months(since, 1).await;
    let spends = (0..8).map(|_| app.spend("ann", "ai_credit", 100).send());
    let (spends, ()) = tokio::join!(futures_util::future::join_all(spends), app.two_jobs());
    let done = spends.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((done, app.left_of("ann").await), (5, 0));
    app.books_are_right().await;
}

/// A subscription that is set to end has no period after its end, even if the event arrives after
/// that period began.
#[tokio::test]
async fn a_subscription_set_to_end_has_no_next_period() {
    let app = TestApp::selling("demo").await;
    let sold = app.plan_sold("pro").await;
    let since = app.now().as_second();
    let [ann, bob, eve] = ["ann", "bob", "eve"].map(|user| Customer::of(user, since));
    let active = |someone: &Customer| subscription(someone, "active", &sold, (since, since));
    let ends_with_period = |someone: &Customer| {
        let mut ending = active(someone);
        ending["cancel_at_period_end"] = true.into();
        ending
    };
    let mut ends_later = active(&eve);
    ends_later["cancel_at"] = (months_later(since, 1) + 10 * DAY).into();
    app.apply_event(&ann.subscribed("created", 0, &ends_with_period(&ann))).await;
    app.apply_event(&bob.subscribed("created", 0, &active(&bob))).await;
    app.apply_event(&eve.subscribed("created", 0, &ends_later)).await;
    app.clock.advance(SignedDuration::from_secs(months_later(since, 1) - since + 60));
    app.two_jobs().await;
    assert_eq!(app.left_of("ann").await, 0);
    assert_eq!(app.left_of("bob").await, 100);
    assert_eq!(app.left_of("eve").await, 100, "the period begins before the end");
    app.spend("bob", "ai_credit", 30).send().await.expect_status(200);
    app.apply_event(&bob.subscribed("updated", 5, &ends_with_period(&bob))).await;
    assert_eq!(app.left_of("bob").await, 0, "the next period is revoked");
    app.apply_event(&bob.subscribed("updated", 6, &active(&bob))).await;
    assert_eq!(app.left_of("bob").await, 70, "the cancellation was taken back");
    app.books_are_right().await;
}

/// The first month after a trial begins only with Stripe's event, because nothing has been paid
/// yet.
#[tokio::test]
async fn a_trial_has_no_next_period_by_time_alone() {
    let app = TestApp::selling("demo").await;
    let sold = app.plan_sold("pro").await;
    let since = app.now().as_second();
    let ends = since + 30 * DAY;
    let ann = Customer::of("ann", since);
    let mut trial = subscription(&ann, "trialing", &sold, (ends, since));
    trial["trial_start"] = since.into();
    trial["trial_end"] = ends.into();
    trial["items"]["data"][0]["current_period_end"] = ends.into();
    app.apply_event(&ann.subscribed("created", 0, &trial)).await;
    app.spend("ann", "ai_credit", 20).send().await.expect_status(200);
    app.clock.advance(SignedDuration::from_secs(ends - since + 60));
    assert_eq!(app.left_of("ann").await, 0);
    // The period was longer than expected: the expired credits are back.
    let mut longer = trial.clone();
    for field in ["billing_cycle_anchor", "trial_end"] {
        longer[field] = (ends + 7 * DAY).into();
    }
    longer["items"]["data"][0]["current_period_end"] = (ends + 7 * DAY).into();
    app.apply_event(&ann.subscribed("updated", 1, &longer)).await;
    assert_eq!(app.left_of("ann").await, 80);
    app.clock.advance(SignedDuration::from_hours(24 * 7));
    assert_eq!(app.left_of("ann").await, 0);
    let paid = subscription(&ann, "active", &sold, (ends + 7 * DAY, ends + 7 * DAY));
    app.apply_event(&ann.subscribed("updated", 40 * DAY, &paid)).await;
    assert_eq!(app.left_of("ann").await, 100);
    app.books_are_right().await;
}

/// A renewal in several events, applied a day after the period began, and how many of 100 credits
/// remain.
struct Renewal {
    name: &'static str,
    events: Vec<Value>,
    ends: i64,
}

/// The possible outcomes of a renewal. `since` is when the user subscribed, `next` when the next
/// period began.
fn renewals(ann: &Customer, sold: &Sold, since: i64, spent: i64) -> Vec<Renewal> {
    let next = months_later(since, 1);
    let after = |seconds: i64| next - since + seconds;
    let at = |what: &str, seconds: i64, status: &str| {
        ann.subscribed(what, after(seconds), &subscription(ann, status, sold, (since, next)))
    };
    let unpaid_since = |seconds: i64| {
        let mut failed = ann.invoiced("payment_failed", after(seconds), "1", sold);
        failed["data"]["object"]["subscription"] = ann.subscription_id("1").into();
        failed
    };
    let renewed = || at("updated", 1, "active");
    let late = || vec![renewed(), unpaid_since(2), at("updated", 3, "past_due")];
    let with = |mut events: Vec<Value>, event: Value| {
        events.push(event);
        events
    };
    let moved = |anchor: i64, seconds: i64| {
        let moved = subscription(ann, "active", sold, (anchor, months_later(anchor, -1)));
        ann.subscribed("updated", after(seconds), &moved)
    };
    let mut ending = subscription(ann, "active", sold, (since, since));
    ending["cancel_at_period_end"] = true.into();
    let ending = ann.subscribed("updated", after(-5 * DAY), &ending);
    let overdue = subscription(ann, "past_due", sold, (since, since));
    let overdue = ann.subscribed("updated", after(-5 * DAY), &overdue);
    let left = 100 - spent;
    [
        ("renewed", vec![renewed(), at("updated", 4, "active")], left),
        ("late", late(), left),
        ("unpaid", with(late(), at("updated", 4, "unpaid")), 0),
        ("given up", with(late(), at("deleted", 4, "canceled")), 0),
        ("recovered", with(late(), at("updated", 4, "active")), left),
        ("moved", vec![renewed(), moved(next + 10 * DAY, 5)], left),
        (
            "moved twice",
            vec![renewed(), moved(next + 10 * DAY, 5), at("updated", 6, "active")],
            left,
        ),
        ("ended", vec![ending, at("deleted", 0, "canceled")], 0),
        ("late before", vec![overdue, unpaid_since(-5 * DAY)], 0),
    ]
    .map(|(name, events, ends)| Renewal { name, events, ends })
    .into()
}

/// For every outcome and every order of its events, with and without credits spent before, the
/// balance is the period's credits less those spent.
#[tokio::test]
async fn every_order_of_a_late_renewal_ends_in_one_state() {
    let app = TestApp::selling("demo").await;
    let sold = app.plan_sold("pro").await;
    let since = app.now().as_second();
    let mut played = Vec::new();
    for spent in [0, 30] {
        let kinds = renewals(&Customer::of("example", since), &sold, since, spent);
        for (kind, renewal) in kinds.iter().enumerate() {
            for (number, order) in orders(renewal.events.len()).into_iter().enumerate() {
                let user = format!("u{spent}_{kind}_{number}");
                let ann = Customer::of(&user, since);
                let bought = subscription(&ann, "active", &sold, (since, since));
                app.apply_event(&ann.subscribed("created", 0, &bought)).await;
                played.push((user, ann, spent, kind, order));
            }
        }
    }
    app.clock.advance(SignedDuration::from_secs(months_later(since, 1) - since + DAY));
    for (user, ann, spent, kind, order) in played {
        if spent > 0 {
            app.spend(&user, "ai_credit", spent).send().await.expect_status(200);
        }
        let renewal = &renewals(&ann, &sold, since, spent)[kind];
        for place in &order {
            app.apply_event(&renewal.events[*place]).await;
            app.apply_event(&renewal.events[(place + 1) % order.len()]).await;
        }
        assert_eq!(app.left_of(&user).await, renewal.ends, "{} {order:?} {spent}", renewal.name);
    }
    assert_eq!(app.count("select count(*) from failed_webhooks").await, 0);
    app.books_are_right().await;
}

/// The balance of a plan with 100 credits a month at five moments, while corrections of the anchor
/// extend a period that had already ended.
async fn runs_on(app: &TestApp) -> Vec<i64> {
    let sold = app.plan_sold("pro").await;
    let since = app.now().as_second();
    let end_of_january = since - 28 * DAY;
    let ann = Customer::of("ann", since);
    let until_28_march = subscription(&ann, "active", &sold, (since, since));
    let until_31_march = subscription(&ann, "active", &sold, (end_of_january, since));
    app.apply_event(&ann.subscribed("created", 0, &until_28_march)).await;
    app.spend("ann", "ai_credit", 60).send().await.expect_status(200);
    app.clock.advance(SignedDuration::from_secs(29 * DAY));
    let mut left = vec![app.left_of("ann").await];
    app.spend("ann", "ai_credit", 10).send().await.expect_status(200);
    for (at, subscription) in [(1, &until_31_march), (2, &until_28_march), (3, &until_31_march)] {
        app.apply_event(&ann.subscribed("updated", at, subscription)).await;
        left.push(app.left_of("ann").await);
    }
    app.clock.advance(SignedDuration::from_secs(3 * DAY));
    left.push(app.left_of("ann").await);
    left
}

/// Such a period and the one after it together grant the credits of one period.
#[tokio::test]
async fn a_corrected_period_end_grants_the_credits_of_one_period() {
    let app = Setup::default().sells("demo").at(END_OF_FEBRUARY).start().await;
    assert_eq!(runs_on(&app).await, [100, 30, 30, 30, 100]);
    assert_eq!(app.count("select count(*) from failed_webhooks").await, 0);
    app.books_are_right().await;
}

#[tokio::test]
async fn each_rule_for_a_corrected_period_end_is_needed() {
    for (function, rule, instead) in [
        ("expire_credits", "case e.kind when 'plan' then e.remaining else 0 end", "0"),
        ("move_plan_grant", "amount + p_grant.amount - p_grant.remaining", "amount"),
        ("move_plan_grant", "set amount = 0,", "set"),
        ("grant_plan_credits", "v_given.grant_ends <> v_period.ends_at", "false"),
    ] {
        let app = Setup::default().sells("demo").at(END_OF_FEBRUARY).start().await;
        change(&app, function, rule, instead).await;
        assert_ne!(runs_on(&app).await, [100, 30, 30, 30, 100], "{function} without {rule}");
    }
}

/// `pause_collection` with `behavior: void`: no period is paid, so the plan is paused until
/// collection resumes.
#[tokio::test]
async fn a_plan_is_paused_while_its_invoices_are_voided() {
    let app = TestApp::selling("demo").await;
    let sold = app.plan_sold("pro").await;
    let since = app.now().as_second();
    for (user, behavior, plan, left) in
        [("ann", "void", "free", 0), ("bob", "keep_as_draft", "pro", 100)]
    {
        let someone = Customer::of(user, since);
        let active = subscription(&someone, "active", &sold, (since, since));
        app.apply_event(&someone.subscribed("created", 0, &active)).await;
        let mut paused = active.clone();
        paused["pause_collection"] = json!({ "behavior": behavior, "resumes_at": null });
        app.apply_event(&someone.subscribed("updated", 1, &paused)).await;
        let shown = app.subscription(user).await;
        let status = if behavior == "void" { "paused" } else { "active" };
        assert_eq!((&shown["plan"], &shown["status"]), (&json!(plan), &json!(status)));
        assert_eq!(app.left_of(user).await, left, "{behavior}");
    }
    let next = months_later(since, 1);
    app.clock.advance(SignedDuration::from_secs(next - since + 60));
    assert_eq!((app.left_of("ann").await, app.left_of("bob").await), (0, 100));
    let ann = Customer::of("ann", since);
    let resumed = subscription(&ann, "active", &sold, (since, next));
    app.apply_event(&ann.subscribed("updated", next - since + 30, &resumed)).await;
    assert_eq!(app.subscription("ann").await["plan"], "pro");
    assert_eq!(app.left_of("ann").await, 100);
    app.books_are_right().await;
}
