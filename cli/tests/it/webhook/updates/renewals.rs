//! Stories of renewals that grant credits: whether the wallet alone is to be renewed.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::stories::{DAY, Teller, two_periods, with};
use crate::support::events::Customer;
use crate::support::execute;

/// A month of `pro`, SQL before it ends, and its renewal so many days after it began.
async fn renewed(teller: &Teller<'_>, name: &str, changes: Value, sql: &str, days: i64) -> Value {
    let since = teller.now();
    let ann = Customer::of(name, since);
    let [first, second] = two_periods(&ann, "active", &teller.pro, since, changes);
    teller.tell(&ann.subscribed("created", 0, &first)).await;
    execute(&teller.app.owner().await, &sql.replace("{name}", name)).await;
    teller.app.clock.advance(SignedDuration::from_hours(24 * days));
    teller.tell(&ann.subscribed("updated", 30 * DAY, &second)).await;
    teller.state(name, since).await
}

pub async fn with_other_credits(teller: &Teller<'_>, name: &str) -> Value {
    let granted = "
      update wallets set balance = balance + 50, due_at = '-infinity', head_id = null, head_left = null
      where user_id = '{name}';
      insert into credit_grants (user_id, unit, kind, amount, remaining, priority, created_at)
      values ('{name}', 'ai_credit', 'grant', 50, 50, 50, farebox_now());
      select close_wallets('{name}');";
    renewed(teller, name, json!({}), granted, 32).await
}

/// As after another plan, whose credits roll over.
pub async fn with_credits_that_stay(teller: &Teller<'_>, name: &str) -> Value {
    let kept = "
      update credit_grants set expires_at = 'infinity' where user_id = '{name}';
      update wallets set head_ends = 'infinity' where user_id = '{name}';";
    renewed(teller, name, json!({}), kept, 32).await
}

pub async fn with_a_grant_that_ends(teller: &Teller<'_>, name: &str) -> Value {
    let kind = "
      update credit_grants set kind = 'grant', period_start = null, period_end = null
      where user_id = '{name}';";
    renewed(teller, name, json!({}), kind, 32).await
}

pub async fn with_another_unit(teller: &Teller<'_>, name: &str) -> Value {
    let other = "
      insert into wallets (user_id, unit, seq, version, due_at, balance, topped_up)
      select user_id, 'other', 1, 1, due_at, 5, 5 from wallets where user_id = '{name}';
      insert into credit_grants (user_id, unit, kind, amount, remaining, priority, expires_at, created_at)
      select user_id, 'other', 'grant', 5, 5, 50, expires_at, farebox_now()
      from credit_grants where user_id = '{name}';
      select close_wallets('{name}');";
    renewed(teller, name, json!({}), other, 32).await
}

pub async fn with_a_grant_of_the_next_period(teller: &Teller<'_>, name: &str) -> Value {
    let next = "
      insert into credit_grants (
        user_id, unit, kind, amount, remaining, priority, expires_at, period_start, period_end, created_at)
      select user_id, unit, 'plan', 40, 0, 50, period_end + interval '1 month', period_end,
             period_end + interval '1 month', farebox_now()
      from credit_grants where user_id = '{name}';";
    renewed(teller, name, json!({}), next, 32).await
}

pub async fn with_nothing_left(teller: &Teller<'_>, name: &str) -> Value {
    let spend = "select spend_credits('{name}', 'ai_credit', 100, '{}', null, null, farebox_now())";
    renewed(teller, name, json!({}), spend, 32).await
}

/// An event for a period that arrives after the next period has begun.
pub async fn of_a_period_that_is_over(teller: &Teller<'_>, name: &str) -> Value {
    renewed(teller, name, json!({}), "", 65).await
}

/// Its last day comes before the period's end.
pub async fn of_a_subscription_that_ends(teller: &Teller<'_>, name: &str) -> Value {
    let ends = json!({ "cancel_at": teller.now() + 20 * DAY });
    renewed(teller, name, ends, "", 32).await
}

/// The plan of the other subscription counts.
pub async fn of_another_subscription(teller: &Teller<'_>, name: &str) -> Value {
    let since = teller.now();
    let ann = Customer::of(name, since);
    let [first, second] = two_periods(&ann, "active", &teller.starter, since, json!({}));
    let mut better = with(first.clone(), json!({}), since, (0, 30 * DAY));
    better["id"] = ann.subscription_id("2").into();
    better["items"]["data"][0]["price"] = json!({
        "id": teller.pro.price, "product": teller.pro.product, "currency": "usd",
        "unit_amount": teller.pro.amount, "recurring": { "interval": "month", "interval_count": 1 },
    });
    teller.tell(&ann.subscribed("created", 0, &first)).await;
    teller.tell(&ann.subscribed("updated", 1, &better)).await;
    teller.app.clock.advance(SignedDuration::from_hours(24 * 32));
    teller.tell(&ann.subscribed("updated", 30 * DAY, &second)).await;
    teller.state(name, since).await
}

/// The trial is over, and nothing is paid yet.
pub async fn of_a_trial(teller: &Teller<'_>, name: &str) -> Value {
    let since = teller.now();
    let ann = Customer::of(name, since);
    let trial = json!({
        "trial_start": since, "trial_end": since + 14 * DAY, "billing_cycle_anchor": since + 14 * DAY,
    });
    let first = with(ann.subscription("1", "trialing", &teller.pro), trial, since, (0, 14 * DAY));
    let second = with(first.clone(), json!({}), since, (14 * DAY, 44 * DAY));
    teller.tell(&ann.subscribed("created", 0, &first)).await;
    teller.app.clock.advance(SignedDuration::from_hours(24 * 15));
    teller.tell(&ann.subscribed("updated", 14 * DAY, &second)).await;
    teller.state(name, since).await
}
