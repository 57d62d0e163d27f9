//! Plays the events of a story into the store, in any order, and reads the final state.

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use serde_json::Value;
use shared::app::{App, PoolSize};
use shared::config::Config;
use shared::domain::Observation;
use shared::domain::facts::Facts;
use std::sync::Arc;

use crate::support::events::parsed;
use crate::support::{TestApp, clock};

/// The events of one customer.
pub struct Story {
    pub events: Vec<Value>,
    /// The subscriptions as Stripe returns them.
    pub subscriptions: Vec<Value>,
}

impl Story {
    /// The object that Stripe returns for that event.
    fn truth(&self, event: &Value) -> &Value {
        let id = &event["data"]["object"]["id"];
        let mut subscriptions = self.subscriptions.iter();
        subscriptions.find(|subscription| subscription["id"] == *id).unwrap_or(&Value::Null)
    }
}

/// Applies events without HTTP, which would cost more than the code under test.
pub struct Player {
    app: Arc<App>,
}

impl Player {
    pub fn new(app: &TestApp) -> Self {
        let config = Config::from_vars(|name| app.settings.get(name).cloned()).unwrap();
        Self { app: App::new(config, clock(), PoolSize::Server).unwrap() }
    }

    /// Plays each story from beginning to end, eight stories at a time.
    pub async fn play(&self, stories: impl IntoIterator<Item = Story>) {
        let playing = stream::iter(stories).map(|story| self.play_one(story));
        playing.buffer_unordered(8).collect::<()>().await;
    }

    async fn play_one(&self, story: Story) {
        for event in &story.events {
            self.apply_event(event, story.truth(event)).await;
        }
    }

    /// Plays each story from beginning to end, with this many of its events at a time.
    pub async fn play_in_chunks(&self, stories: Vec<Story>, size: usize) {
        let playing = stream::iter(&stories).map(async |story| {
            for events in story.events.chunks(size) {
                let deliveries =
                    events.iter().map(|event| self.apply_event(event, story.truth(event)));
                join_all(deliveries).await;
            }
        });
        playing.buffer_unordered(4).collect::<()>().await;
    }

    /// Applies all events of a story at once.
    pub async fn play_at_once(&self, story: Story) {
        let deliveries =
            story.events.iter().map(|event| self.apply_event(event, story.truth(event)));
        join_all(deliveries).await;
    }

    /// Applies one event; on a tie, the subscription that Stripe would return. Returns whether the
    /// event was a duplicate.
    pub async fn apply_event(&self, event: &Value, subscription: &Value) -> bool {
        let (now, event) = (self.app.clock.now(), parsed(event));
        let observation = Observation::from_event(&event, event.facts().unwrap());
        let applied = match self.app.postgres.apply(&observation, now).await {
            Err(error) if error.is_tie() => {
                let facts = Facts::of_subscription(subscription).unwrap();
                let (at, tie_breaker) = (now.as_second(), now.to_string());
                let observation = Observation {
                    since: at,
                    created: at,
                    rank: 9,
                    tie_breaker,
                    facts,
                    ..observation
                };
                self.app.postgres.apply(&observation, now).await
            }
            applied => applied,
        };
        applied.unwrap().duplicate
    }
}

/// The stored state of each of these customers, without times.
const END_STATE: &str = "
  select jsonb_build_object(
    'subscriptions', (
      select jsonb_agg(
        jsonb_build_array(s.id, s.user_id, s.status, s.plan, s.quantity, s.cancel_at_period_end)
        order by s.id)
      from subscriptions s
      where s.customer_id = c.id),
    'payments', (
      select jsonb_agg(jsonb_build_array(p.id, payment_totals(p)) order by p.id)
      from payments p
      where p.customer_id = c.id),
    'ledger', (
      select jsonb_object_agg(t.about, t.total)
      from (
        select concat_ws(' ', payment_id, kind) as about, sum(delta) as total
        from credit_transactions
        where user_id = c.user_id
        group by payment_id, kind
        having sum(delta) <> 0
      ) t),
    'balances', (
      select jsonb_object_agg(unit, balance)
      from wallets
      where user_id = c.user_id
        and balance <> 0),
    'entitlement', (
      select jsonb_build_array(plan, source, status) from entitlements where user_id = c.user_id),
    'invoices', (
      select jsonb_agg(jsonb_build_array(i.id, i.status, i.amount_paid_minor) order by i.id)
      from invoices i
      where i.customer_id = c.id)
    )::text,
    substr(c.id, 5)
  from stripe_customers c
  where c.id like $1
  order by c.id";

/// The final state of each customer with this prefix, by name.
pub async fn end_states(app: &TestApp, prefix: &str) -> Vec<(String, Value)> {
    use tokio_postgres::types::Type;
    let pattern = format!("cus_{prefix}%");
    let rows = app.owner().await.query_typed(END_STATE, &[(&pattern, Type::TEXT)]).await.unwrap();
    let end_state = |row: &tokio_postgres::Row| {
        let (text, name): (String, String) = (row.get(0), row.get(1));
        // Removes the user from the state, for comparison.
        (name.clone(), serde_json::from_str(&text.replace(&name, "one")).unwrap())
    };
    rows.iter().map(end_state).collect()
}

/// Checks that the books add up: credits, and each change of the monthly revenue.
pub async fn books(app: &TestApp) -> Result<(), String> {
    let off = app.count("select count(*) from validate_credits_consistency()").await;
    let revenue = "
      select count(*)
      from subscriptions s
      where monthly_revenue(s) <> (
        select coalesce(sum(
          coalesce((after ->> 'mrr_minor')::bigint, 0)
            - coalesce((before ->> 'mrr_minor')::bigint, 0)), 0)
        from billing_events
        where subscription_id = s.id
          and kind like 'subscription.%')";
    let unexplained = app.count(revenue).await;
    match (off, unexplained) {
        (0, 0) => Ok(()),
        _ => Err(format!("{off} balances off, {unexplained} revenues unexplained")),
    }
}

/// Fails unless all customers have the expected final state.
pub fn all_are(end_states: &[(String, Value)], expected: &Value) -> Result<(), String> {
    match end_states.iter().find(|(_, end_state)| end_state != expected) {
        None => Ok(()),
        Some((name, end_state)) => Err(format!("{name}: {end_state:#}\ninstead of {expected:#}")),
    }
}
