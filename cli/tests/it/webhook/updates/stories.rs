//! Stories of a subscription's events, and the state after each.

use std::sync::Arc;

use serde_json::{Value, json};
use shared::adapters::postgres::Applied;
use shared::app::App;
use shared::domain::Observation;

use crate::support::events::{Customer, Sold, parsed};
use crate::support::{TestApp, execute};
use crate::webhook::versions::republish;

pub const DAY: i64 = 86_400;

/// A test's app, and the catalog's prices.
pub struct StoryRunner<'a> {
    pub app: &'a TestApp,
    inside: Arc<App>,
    pub starter: Sold,
    pub pro: Sold,
    /// One second after the catalog was first published; its second version follows about 100
    /// seconds later.
    pub published: i64,
}

impl<'a> StoryRunner<'a> {
    pub async fn of(app: &'a TestApp) -> Self {
        let published = republish(app).await;
        let (starter, pro) = (app.plan_sold("starter").await, app.plan_sold("pro").await);
        Self { app, inside: app.inside(), starter, pro, published }
    }

    pub fn now(&self) -> i64 {
        self.app.now().as_second()
    }

    pub async fn apply_event(&self, event: &Value) -> Applied {
        let event = parsed(event);
        let observation = Observation::from_event(&event, event.facts().unwrap());
        self.inside.postgres.apply(&observation, self.inside.clock.now()).await.unwrap()
    }

    pub async fn apply_events(&self, events: &[Value]) {
        for event in events {
            self.apply_event(event).await;
        }
    }

    /// The stored state of a customer, with times in seconds after `since`.
    pub async fn state(&self, name: &str, since: i64) -> Value {
        let sql = format!(
            "select jsonb_build_object(
               'subscription', (
                 select jsonb_build_array(
                   status, plan, plan_version, quantity, stripe_schedule_id,
                   extract(epoch from current_period_start)::bigint - {since},
                   extract(epoch from current_period_end)::bigint - {since},
                   extract(epoch from observed_at)::bigint - {since},
                   (select jsonb_agg(extract(epoch from at)::bigint - {since}) from unnest(price_seen) at))
                 from subscriptions
                 where id = 'sub_{name}_1'),
               'entitlement', (
                 select jsonb_build_array(
                   plan, status, extract(epoch from anchor)::bigint - {since})
                 from entitlements
                 where user_id = '{name}'),
               'ledger', (
                 select jsonb_agg(jsonb_build_array(unit, kind, delta, balance_after) order by unit, seq)
                 from credit_transactions
                 where user_id = '{name}'),
               'grants', (
                 select jsonb_agg(
                   jsonb_build_array(
                     kind, amount, remaining, extract(epoch from period_start)::bigint - {since},
                     extract(epoch from period_end)::bigint - {since})
                   order by id)
                 from credit_grants
                 where user_id = '{name}'),
               'wallets', (
                 select jsonb_agg(
                   to_jsonb(w) - array['user_id', 'version', 'head_id', 'head_ends', 'due_at']
                     || jsonb_build_object(
                       'due', extract(epoch from due_at)::bigint - {since},
                       'ends', extract(epoch from head_ends)::bigint - {since})
                   order by unit)
                 from wallets w
                 where user_id = '{name}'
                   and seq > 0),
               'letters', (
                 select count(*)
                 from failed_webhooks
                 where id like 'evt_{name}_%'
                   and resolved_at is null))"
        );
        self.app.owner().await.query_typed_one(&sql, &[]).await.unwrap().get(0)
    }
}

/// Sets some fields of a subscription, and its period in seconds after `since`.
pub fn with(mut subscription: Value, changes: Value, since: i64, (from, to): (i64, i64)) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        subscription[name] = value.clone();
    }
    let item = &mut subscription["items"]["data"][0];
    item["current_period_start"] = (since + from).into();
    item["current_period_end"] = (since + to).into();
    subscription
}

/// A subscription in its first period and in the next; all other fields are equal.
pub fn two_periods(
    ann: &Customer,
    status: &str,
    sold: &Sold,
    since: i64,
    changes: Value,
) -> [Value; 2] {
    [(0, 30 * DAY), (30 * DAY, 60 * DAY)]
        .map(|period| with(ann.subscription("1", status, sold), changes.clone(), since, period))
}

pub async fn an_older_period(runner: &StoryRunner<'_>, name: &str) -> Value {
    let since = runner.now();
    let ann = Customer::of(name, since);
    let [first, second] = two_periods(&ann, "active", &runner.pro, since, json!({}));
    let between = with(first.clone(), json!({}), since, (DAY, 31 * DAY));
    runner
        .apply_events(&[
            ann.subscribed("created", 0, &first),
            ann.subscribed("updated", 5, &second),
            ann.subscribed("updated", 3, &between),
        ])
        .await;
    runner.state(name, since).await
}

pub async fn another_quantity(runner: &StoryRunner<'_>, name: &str) -> Value {
    let since = runner.now();
    let ann = Customer::of(name, since);
    let [first, _] = two_periods(&ann, "active", &runner.pro, since, json!({}));
    let mut more = first.clone();
    more["items"]["data"][0]["quantity"] = 3.into();
    let events = [ann.subscribed("created", 0, &first), ann.subscribed("updated", 5, &more)];
    runner.apply_events(&events).await;
    runner.state(name, since).await
}

pub async fn a_dead_letter(runner: &StoryRunner<'_>, name: &str) -> Value {
    let since = runner.now();
    let ann = Customer::of(name, since);
    let [first, second] = two_periods(&ann, "active", &runner.pro, since, json!({}));
    runner.apply_event(&ann.subscribed("created", 0, &first)).await;
    let event = ann.subscribed("updated", 5, &second);
    let letter = format!(
        "insert into failed_webhooks (id, type, created_at, failed_at, cause, attempts)
         values ('{}', 'test', farebox_now(), farebox_now(), 'test', 1)",
        event["id"].as_str().unwrap()
    );
    execute(&runner.app.owner().await, &letter).await;
    runner.apply_event(&event).await;
    runner.state(name, since).await
}

pub async fn a_second_delivery(runner: &StoryRunner<'_>, name: &str) -> Value {
    let since = runner.now();
    let ann = Customer::of(name, since);
    let [first, second] = two_periods(&ann, "active", &runner.pro, since, json!({}));
    runner.apply_event(&ann.subscribed("created", 0, &first)).await;
    let event = ann.subscribed("updated", 5, &second);
    let deliveries =
        [runner.apply_event(&event).await.duplicate, runner.apply_event(&event).await.duplicate];
    json!([deliveries, runner.state(name, since).await])
}

/// The price was another at 50, so the version of 90 counts, from before the second version of the
/// catalog.
pub async fn an_older_price(runner: &StoryRunner<'_>, name: &str) -> Value {
    let since = runner.published;
    let ann = Customer::of(name, since);
    let [at_starter, _] = two_periods(&ann, "active", &runner.starter, since, json!({}));
    let [at_pro, _] = two_periods(&ann, "active", &runner.pro, since, json!({}));
    runner
        .apply_events(&[
            ann.subscribed("created", 0, &at_starter),
            ann.subscribed("updated", 90, &at_starter),
            ann.subscribed("updated", 120, &at_starter),
            ann.subscribed("updated", 50, &at_pro),
        ])
        .await;
    runner.state(name, since).await
}

pub async fn many_updates(runner: &StoryRunner<'_>, name: &str) -> Value {
    let since = runner.now();
    let ann = Customer::of(name, since);
    let [first, _] = two_periods(&ann, "active", &runner.pro, since, json!({}));
    for at in 0..20 {
        runner.apply_event(&ann.subscribed("updated", at, &first)).await;
    }
    runner.state(name, since).await
}

/// The subscription stays ann's, although it moved to a customer of bob's.
pub async fn a_customer_of_another(runner: &StoryRunner<'_>, name: &str) -> Value {
    let since = runner.now();
    let ann = Customer::of(name, since);
    let other = Customer::without_user(&format!("{name}other"), since);
    let [first, _] = two_periods(&ann, "active", &runner.pro, since, json!({}));
    let mut moved = first.clone();
    moved["customer"] = other.customer_id().into();
    runner
        .apply_events(&[
            ann.subscribed("created", 0, &first),
            other.named(0, &format!("{name}other")),
            ann.subscribed("updated", 5, &moved),
        ])
        .await;
    json!(runner.apply_event(&ann.subscribed("updated", 6, &moved)).await.names_another)
}

pub async fn another_name(runner: &StoryRunner<'_>, name: &str) -> Value {
    let since = runner.now();
    let ann = Customer::of(name, since);
    let [first, _] = two_periods(&ann, "active", &runner.pro, since, json!({}));
    let mut named = first.clone();
    named["metadata"]["userId"] = format!("{name}other").into();
    let events = [ann.subscribed("created", 0, &first), ann.subscribed("updated", 5, &named)];
    runner.apply_events(&events).await;
    json!(runner.apply_event(&ann.subscribed("updated", 6, &named)).await.names_another)
}

/// The price changed within one second, so it has not yet been seen after the other one.
pub async fn a_price_of_one_second(runner: &StoryRunner<'_>, name: &str) -> Value {
    let since = runner.published;
    let ann = Customer::of(name, since);
    let [at_starter, _] = two_periods(&ann, "active", &runner.starter, since, json!({}));
    let [at_pro, _] = two_periods(&ann, "active", &runner.pro, since, json!({}));
    runner
        .apply_events(&[
            ann.subscribed("created", 5, &at_pro),
            ann.subscribed("updated", 5, &at_starter),
            ann.subscribed("updated", 110, &at_starter),
        ])
        .await;
    runner.state(name, since).await
}

/// The same events in the other order.
pub async fn a_price_of_one_second_that_comes_late(runner: &StoryRunner<'_>, name: &str) -> Value {
    let since = runner.published;
    let ann = Customer::of(name, since);
    let [at_starter, _] = two_periods(&ann, "active", &runner.starter, since, json!({}));
    let [at_pro, _] = two_periods(&ann, "active", &runner.pro, since, json!({}));
    runner
        .apply_events(&[
            ann.subscribed("updated", 5, &at_starter),
            ann.subscribed("created", 5, &at_pro),
            ann.subscribed("updated", 110, &at_starter),
        ])
        .await;
    runner.state(name, since).await
}

pub async fn periods_without_an_anchor(runner: &StoryRunner<'_>, name: &str) -> Value {
    let since = runner.now();
    let ann = Customer::of(name, since);
    let none = json!({ "billing_cycle_anchor": null });
    let [first, _] = two_periods(&ann, "active", &runner.pro, since, none);
    let earlier = with(first.clone(), json!({}), since, (-5 * DAY, 25 * DAY));
    let events = [ann.subscribed("created", 0, &first), ann.subscribed("updated", 5, &earlier)];
    runner.apply_events(&events).await;
    runner.state(name, since).await
}

/// A subscription whose first period ended ten days ago, followed by a second one.
pub async fn a_second_period(
    runner: &StoryRunner<'_>,
    name: &str,
    status: &str,
    changes: Value,
) -> Value {
    let since = runner.now() - 40 * DAY;
    let ann = Customer::of(name, since);
    let [first, second] = two_periods(&ann, status, &runner.pro, since, changes);
    let events = [ann.subscribed("created", 0, &first), ann.subscribed("updated", 5, &second)];
    runner.apply_events(&events).await;
    runner.state(name, since).await
}

pub async fn a_later_end(runner: &StoryRunner<'_>, name: &str) -> Value {
    a_second_period(runner, name, "active", json!({ "cancel_at_period_end": true })).await
}

pub async fn a_trial_without_an_end(runner: &StoryRunner<'_>, name: &str) -> Value {
    a_second_period(runner, name, "trialing", json!({})).await
}

pub async fn a_late_payment(runner: &StoryRunner<'_>, name: &str) -> Value {
    a_second_period(runner, name, "past_due", json!({})).await
}

/// An event that Stripe created before the schedule, and that arrives after it.
pub async fn a_schedule(runner: &StoryRunner<'_>, name: &str) -> Value {
    let since = runner.now();
    let ann = Customer::of(name, since);
    let [first, _] = two_periods(&ann, "active", &runner.pro, since, json!({}));
    runner.apply_event(&ann.subscribed("created", 0, &first)).await;
    let steps = json!({
        "customer": ann.customer_id(), "subscription": ann.subscription_id("1"), "quantity": 1,
        "plan": "starter", "interval": "monthly", "period_end": since + 30 * DAY,
    });
    let scheduled = format!(
        "with begun as (
           insert into stripe_requests (user_id, kind, parameters, created_at)
           values ('{name}', 'subscription', '{steps}', farebox_now())
           returning id
         )
         select begun.id as request from begun"
    );
    let request = runner.app.count(&scheduled).await;
    let finish =
        format!("select finish_subscription_change({request}, null, 'sched', farebox_now())");
    execute(&runner.app.owner().await, &finish).await;
    runner.apply_event(&ann.subscribed("updated", 5, &first)).await;
    runner.state(name, since).await
}
