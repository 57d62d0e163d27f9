//! One user, in Farebox and in the model: each step is applied to both.

use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use serde_json::{Value, json};
use shared::app::App;
use shared::domain::Observation;
use tokio_postgres::Client;
use tokio_postgres::types::{Json, ToSql, Type};

use super::model::{Model, PACKS, PLANS, Subscription};
use super::steps::{Bought, ByHand, Step};
use crate::support::events::{Customer, Sold, parsed};

/// Noon of 31 January 2026, in seconds; a month later is 28 February.
const SINCE: i64 = 1_769_860_800;

/// The prices in Stripe, in the order of the model's plans and packs.
pub struct Shop {
    pub plans: Vec<Sold>,
    pub packs: Vec<Sold>,
}

pub struct Player<'a> {
    app: &'a App,
    client: &'a Client,
    shop: &'a Shop,
    user: String,
    customer: Customer,
    model: Model,
    now: Timestamp,
    /// The second of the last event, so that each event is later than the one before.
    last_event: i64,
}

impl<'a> Player<'a> {
    /// Creates a user with an account and no credits.
    pub async fn new(app: &'a App, client: &'a Client, shop: &'a Shop, user: String) -> Self {
        let now = Timestamp::from_second(SINCE).unwrap();
        let (customer, model) = (Customer::of(&user, SINCE), Model::new(now));
        let known = customer.named(0, &user);
        let mut player = Self { app, client, shop, user, customer, model, now, last_event: 0 };
        player.apply_event(known).await;
        player
    }

    pub async fn take(&mut self, step: &Step) {
        match *step {
            Step::Buy { place, pack } => {
                let pack = *self.model.purchases[place].pack.get_or_insert(pack);
                let (name, sold) = (PACKS[pack].0, &self.shop.packs[pack]);
                let event = self.customer.paid(self.last_event, &named(place), name, sold);
                self.apply_payment_event(place, event).await;
            }
            Step::RefundedInAll { place, hundredths } => {
                let (sold, in_all) = self.part(place, hundredths);
                let event = self.customer.refunded(self.last_event, &named(place), sold, in_all);
                self.model.purchases[place].apply_refunded_total(in_all);
                self.apply_payment_event(place, event).await;
            }
            Step::Refund { place, number, hundredths, status } => {
                let (_, amount) = self.part(place, hundredths);
                let name = named(place);
                let event = self.customer.refund(self.last_event, &name, number, amount, status);
                self.model.purchases[place].apply_refund(number, amount, status);
                self.apply_payment_event(place, event).await;
            }
            Step::Dispute { place, hundredths, status } => {
                let (_, amount) = self.part(place, hundredths);
                let event = self.customer.disputed(self.last_event, &named(place), amount, status);
                self.model.purchases[place].apply_dispute(amount, status);
                self.apply_payment_event(place, event).await;
            }
            Step::ByHand(ref change) => self.by_hand(change).await,
            Step::Subscribe(ref bought) => self.subscribe(bought).await,
            Step::GivePlan { hours } => {
                self.give_plan(Some(hours.map(|hours| self.later(hours)))).await;
            }
            Step::TakePlan => self.give_plan(None).await,
            Step::Pass { hours } => self.now += SignedDuration::from_hours(hours),
            Step::RunJob => {
                for _ in 0..2 {
                    let job = "select recompute_due_users($1, 1000)";
                    let now = [(&self.now as _, Type::TIMESTAMPTZ)];
                    self.client.query_typed(job, &now).await.unwrap();
                }
                self.model.settle(self.now);
            }
            Step::Look => self.compare_with_model().await,
        }
    }

    /// A percentage of the pack's price.
    fn part(&self, place: usize, hundredths: i64) -> (&'a Sold, i64) {
        let sold = &self.shop.packs[self.model.purchases[place].pack.unwrap_or(0)];
        (sold, sold.amount * hundredths / 100)
    }

    async fn apply_payment_event(&mut self, place: usize, event: Value) {
        self.apply_event(event).await;
        self.model.apply_payment_event(place, self.now);
        if self.model.purchases[place].pack.is_none() {
            // An event without a user does not apply the effects of time for anyone.
            self.compare_with_model().await;
        }
    }

    async fn subscribe(&mut self, bought: &Bought) {
        let Bought { number, plan, status, months, is_ending, anchor } = *bought;
        let ended = |known: &Subscription| known.status == "canceled";
        if self.model.subscriptions.get(&number).is_some_and(ended) {
            return;
        }
        // Applies the effects of time first, as the minute job would have done.
        self.compare_with_model().await;
        let since = Timestamp::from_second(SINCE).unwrap().to_zoned(TimeZone::UTC);
        let paid_until = since.checked_add(months.months()).unwrap().timestamp();
        let sold = &self.shop.plans[plan];
        let mut subscription = self.customer.subscription(&number.to_string(), status, sold);
        subscription["created"] = (SINCE + i64::try_from(number).unwrap()).into();
        let anchor = SINCE + anchor * 86_400;
        subscription["billing_cycle_anchor"] = anchor.into();
        subscription["cancel_at_period_end"] = is_ending.into();
        subscription["items"]["data"][0]["current_period_end"] = paid_until.as_second().into();
        let what = if status == "canceled" { "deleted" } else { "updated" };
        self.apply_event(self.customer.subscribed(what, self.last_event, &subscription)).await;
        let anchor = Timestamp::from_second(anchor).unwrap();
        let bought = Subscription { plan, status, paid_until, is_ending, anchor };
        self.model.subscriptions.insert(number, bought);
        self.model.settle(self.now);
    }

    /// Applies an event; the next one is later.
    async fn apply_event(&mut self, event: Value) {
        self.last_event += 1;
        let event = parsed(&event);
        let observation = Observation::from_event(&event, event.facts().unwrap());
        self.app.postgres.apply(&observation, self.now).await.unwrap();
    }

    /// Gives the plan until a time or without end; none ends it.
    async fn give_plan(&mut self, until: Option<Option<Timestamp>>) {
        self.compare_with_model().await;
        let plan = if until.is_some() { PLANS[1].0 } else { "free" };
        let ends_at = until.flatten();
        let sql = "select comp_plan($1, $2, $3, null, 'test', $4)";
        let params: [(&(dyn ToSql + Sync), Type); 4] = [
            (&self.user, Type::TEXT),
            (&plan, Type::TEXT),
            (&ends_at, Type::TIMESTAMPTZ),
            (&self.now, Type::TIMESTAMPTZ),
        ];
        self.client.query_typed(sql, &params).await.unwrap();
        self.model.give_plan(until, self.now);
    }

    /// Spends, grants or adjusts, and compares the answer with the model's.
    async fn by_hand(&mut self, change: &ByHand) {
        let ByHand { kind, amount, hours, priority, key } = *change;
        let expires_at = hours.map(|hours| self.later(hours));
        let print = format!("{kind} {amount} {priority:?} {expires_at:?}");
        let unique = key.map(|key| format!("{}:{key}", self.user));
        let about = Json(json!({ "reason": "a test" }));
        let sql = match kind {
            "spend" => "select spend_credits($1, 'ai_credit', $3, $6, $7, $8, $9)",
            _ => "select grant_credits($1, $2, 'ai_credit', $3, $4, $5, $6, 'test', $7, $8, $9)",
        };
        let params: [(&(dyn ToSql + Sync), Type); 9] = [
            (&self.user, Type::TEXT),
            (&kind, Type::TEXT),
            (&amount, Type::INT8),
            (&expires_at, Type::TIMESTAMPTZ),
            (&priority, Type::INT4),
            (&about, Type::JSONB),
            (&unique, Type::TEXT),
            (&print, Type::TEXT),
            (&self.now, Type::TIMESTAMPTZ),
        ];
        let answer = match self.client.query_typed_one(sql, &params).await {
            Ok(row) => {
                let change: Value = row.get(0);
                // The fast path of a spend returns no ledger entry.
                let entry = change.get("transaction").unwrap_or(&change);
                Ok(entry["balance"].as_i64().unwrap())
            }
            Err(error) => Err(error.code().unwrap().code().to_owned()),
        };
        let terms = (priority.unwrap_or(50), expires_at);
        let expected = self.model.by_hand(kind, amount, terms, key.zip(Some(print)), self.now);
        assert_eq!(answer, expected.map_err(str::to_owned), "{change:?}");
    }

    /// Compares the balance, and the grants in the order in which they are spent.
    async fn compare_with_model(&mut self) {
        let sql = "select get_credits($1, 'ai_credit', null, 1, $2) -> 'units' -> 0";
        let params = [(&self.user as _, Type::TEXT), (&self.now as _, Type::TIMESTAMPTZ)];
        let held: Value = self.client.query_typed_one(sql, &params).await.unwrap().get(0);
        self.model.settle(self.now);
        let grants: Vec<_> = held["grants"].as_array().unwrap().iter().map(grant).collect();
        assert_eq!(held["balance"], self.model.balance);
        assert_eq!(grants, self.model.held());
    }

    /// Half past an hour, when no period ends.
    fn later(&self, hours: i64) -> Timestamp {
        self.now + SignedDuration::from_mins(60 * hours + 30)
    }

    /// Compares the ledger entries of each payment with the model, and checks the ledger's
    /// consistency.
    pub async fn end(mut self) {
        self.compare_with_model().await;
        for (place, purchase) in self.model.purchases.iter().enumerate() {
            for (kind, posted) in ["purchase", "refund", "dispute"].iter().zip(purchase.posted) {
                let sql = "select coalesce(sum(delta), 0)::bigint from credit_transactions
                           where payment_id = $1 and kind = $2";
                let payment = self.customer.payment_id(&named(place));
                let params = [(&payment as _, Type::TEXT), (kind as _, Type::TEXT)];
                let sum: i64 = self.client.query_typed_one(sql, &params).await.unwrap().get(0);
                assert_eq!(sum, posted, "{kind} of {payment}");
            }
        }
        let sql = "select count(*) from validate_credits_consistency() where user_id = $1";
        let user = [(&self.user as _, Type::TEXT)];
        let off: i64 = self.client.query_typed_one(sql, &user).await.unwrap().get(0);
        assert_eq!(off, 0);
    }
}

fn named(place: usize) -> String {
    format!("p{place}")
}

fn grant(shown: &Value) -> (i64, i32, Option<Timestamp>) {
    let priority = i32::try_from(shown["priority"].as_i64().unwrap()).unwrap();
    let expires_at = shown["expires_at"].as_str().map(|at| at.parse().unwrap());
    (shown["remaining"].as_i64().unwrap(), priority, expires_at)
}
