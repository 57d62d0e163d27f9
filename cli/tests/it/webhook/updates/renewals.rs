//! Stories of renewals that grant credits, some of which may renew only the wallet.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::stories::{DAY, StoryRunner, two_periods, with};
use crate::support::events::Customer;
use crate::support::execute;

/// A month of `pro`, with SQL run before it ends, and its renewal event when `days` have passed.
async fn renewed(
    runner: &StoryRunner<'_>,
    name: &str,
    changes: Value,
    sql: &str,
    days: i64,
) -> Value {
    let since = runner.now();
    let ann = Customer::of(name, since);
    let [first, second] = two_periods(&ann, "active", &runner.pro, since, changes);
    runner.apply_event(&ann.subscribed("created", 0, &first)).await;
    execute(&runner.app.owner().await, &sql.replace("{name}", name)).await;
    runner.app.clock.advance(SignedDuration::from_hours(24 * days));
    runner.apply_event(&ann.subscribed("updated", 30 * DAY, &second)).await;
    runner.state(name, since).await
}

pub async fn with_other_credits(runner: &StoryRunner<'_>, name: &str) -> Value {
    let granted = "
      update wallets set balance = balance + 50, due_at = '-infinity', head_id = null, head_left = null
      where user_id = '{name}';
      insert into credit_grants (user_id, unit, kind, amount, remaining, priority, created_at)
      values ('{name}', 'ai_credit', 'grant', 50, 50, 50, farebox_now());
      select close_wallets('{name}');";
    renewed(runner, name, json!({}), granted, 32).await
}

/// As after a plan whose credits roll over.
pub async fn with_credits_that_stay(runner: &StoryRunner<'_>, name: &str) -> Value {
    let kept = "
      update credit_grants set expires_at = 'infinity' where user_id = '{name}';
      update wallets set head_ends = 'infinity' where user_id = '{name}';";
    renewed(runner, name, json!({}), kept, 32).await
}

pub async fn with_a_grant_that_ends(runner: &StoryRunner<'_>, name: &str) -> Value {
    let kind = "
      update credit_grants set kind = 'grant', period_start = null, period_end = null
      where user_id = '{name}';";
    renewed(runner, name, json!({}), kind, 32).await
}

pub async fn with_another_unit(runner: &StoryRunner<'_>, name: &str) -> Value {
    let other = "
      insert into wallets (user_id, unit, seq, version, due_at, balance, topped_up)
      select user_id, 'other', 1, 1, due_at, 5, 5 from wallets where user_id = '{name}';
      insert into credit_grants (user_id, unit, kind, amount, remaining, priority, expires_at, created_at)
      select user_id, 'other', 'grant', 5, 5, 50, expires_at, farebox_now()
      from credit_grants where user_id = '{name}';
      select close_wallets('{name}');";
    renewed(runner, name, json!({}), other, 32).await
}

pub async fn with_a_grant_of_the_next_period(runner: &StoryRunner<'_>, name: &str) -> Value {
    let next = "
      insert into credit_grants (
        user_id, unit, kind, amount, remaining, priority, expires_at, period_start, period_end, created_at)
      select user_id, unit, 'plan', 40, 0, 50, period_end + interval '1 month', period_end,
             period_end + interval '1 month', farebox_now()
      from credit_grants where user_id = '{name}';";
    renewed(runner, name, json!({}), next, 32).await
}

pub async fn with_nothing_left(runner: &StoryRunner<'_>, name: &str) -> Value {
    let spend = "select spend_credits('{name}', 'ai_credit', 100, '{}', null, null, farebox_now())";
    renewed(runner, name, json!({}), spend, 32).await
}

/// An event for a period that arrives after the next period has begun.
pub async fn of_a_period_that_is_over(runner: &StoryRunner<'_>, name: &str) -> Value {
    renewed(runner, name, json!({}), "", 65).await
}

/// The subscription ends before the period does.
pub async fn of_a_subscription_that_ends(runner: &StoryRunner<'_>, name: &str) -> Value {
    let ends = json!({ "cancel_at": runner.now() + 20 * DAY });
    renewed(runner, name, ends, "", 32).await
}

/// The other subscription's plan is the effective one.
pub async fn of_another_subscription(runner: &StoryRunner<'_>, name: &str) -> Value {
    let since = runner.now();
    let ann = Customer::of(name, since);
    let [first, second] = two_periods(&ann, "active", &runner.starter, since, json!({}));
    let mut better = with(first.clone(), json!({}), since, (0, 30 * DAY));
    better["id"] = ann.subscription_id("2").into();
    better["items"]["data"][0]["price"] = json!({
        "id": runner.pro.price, "product": runner.pro.product, "currency": "usd",
        "unit_amount": runner.pro.amount, "recurring": { "interval": "month", "interval_count": 1 },
    });
    runner.apply_event(&ann.subscribed("created", 0, &first)).await;
    runner.apply_event(&ann.subscribed("updated", 1, &better)).await;
    runner.app.clock.advance(SignedDuration::from_hours(24 * 32));
    runner.apply_event(&ann.subscribed("updated", 30 * DAY, &second)).await;
    runner.state(name, since).await
}

/// The trial has ended, and nothing is paid yet.
pub async fn of_a_trial(runner: &StoryRunner<'_>, name: &str) -> Value {
    let since = runner.now();
    let ann = Customer::of(name, since);
    let trial = json!({
        "trial_start": since, "trial_end": since + 14 * DAY, "billing_cycle_anchor": since + 14 * DAY,
    });
    let first = with(ann.subscription("1", "trialing", &runner.pro), trial, since, (0, 14 * DAY));
    let second = with(first.clone(), json!({}), since, (14 * DAY, 44 * DAY));
    runner.apply_event(&ann.subscribed("created", 0, &first)).await;
    runner.app.clock.advance(SignedDuration::from_hours(24 * 15));
    runner.apply_event(&ann.subscribed("updated", 14 * DAY, &second)).await;
    runner.state(name, since).await
}
