//! Longer random stories: the final state equals that of a model, which computes it from what
//! happened and not from the events.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::orders::SINCE;
use super::story::{Player, Story, all_are, books, end_states};
use crate::support::TestApp;
use crate::support::events::{Customer, Sold};

/// The history of one customer.
#[derive(Clone, Debug)]
struct Life {
    /// Which events name the user: all of them, one at a random place, the last one, or none.
    known: Known,
    subscriptions: Vec<Subscription>,
    purchases: Vec<Purchase>,
    /// True for each invoice that was paid in the end; the others only failed.
    invoices: Vec<bool>,
    /// The position of each event, and whether it is delivered twice.
    shuffle: Vec<(u32, bool)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Always,
    BySomebody,
    Last,
    Never,
}

#[derive(Clone, Debug)]
struct Subscription {
    /// Status, plan, quantity, whether it ends with its period, and the seconds since the previous
    /// state.
    states: Vec<(&'static str, usize, i64, bool, i64)>,
    is_deleted: bool,
}

#[derive(Clone, Debug)]
struct Purchase {
    is_large: bool,
    /// The percentage of the price, and whether the refund failed later.
    refunds: Vec<(i64, bool)>,
    /// The percentage of the price, and the outcome if there is one.
    dispute: Option<(i64, Option<&'static str>)>,
}

/// The plans by rank, with the credits that each grants.
const PLANS: [(&str, i64); 2] = [("starter", 10), ("pro", 100)];
/// By this many seconds, trials and first months have ended.
const FIRST_MONTH: i64 = 31 * 86_400;
const PACKS: [(&str, i64); 2] = [("ai_100", 100), ("ai_1000", 1_000)];

struct Shop {
    plans: Vec<Sold>,
    packs: Vec<Sold>,
}

fn lives() -> impl Strategy<Value = Life> {
    let status = prop::sample::select(vec![
        "incomplete",
        "trialing",
        "active",
        "past_due",
        "unpaid",
        "paused",
    ]);
    let state = (status, 0..2usize, 1..4i64, prop::bool::weighted(0.3), 0..3i64);
    let subscription = (prop::collection::vec(state, 1..6), any::<bool>())
        .prop_map(|(states, is_deleted)| Subscription { states, is_deleted });
    let ending = prop::option::of(prop::sample::select(vec!["won", "lost", "warning_closed"]));
    let purchase = (
        any::<bool>(),
        prop::collection::vec((1..50i64, prop::bool::weighted(0.3)), 0..3),
        prop::option::of((1..120i64, ending)),
    );
    let purchase =
        purchase.prop_map(|(is_large, refunds, dispute)| Purchase { is_large, refunds, dispute });
    let known =
        prop::sample::select(vec![Known::Always, Known::BySomebody, Known::Last, Known::Never]);
    (
        known,
        prop::collection::vec(subscription, 0..3),
        prop::collection::vec(purchase, 0..3),
        prop::collection::vec(any::<bool>(), 0..3),
        prop::collection::vec((any::<u32>(), prop::bool::weighted(0.25)), 80),
    )
        .prop_map(|(known, subscriptions, purchases, invoices, shuffle)| Life {
            known,
            subscriptions,
            purchases,
            invoices,
            shuffle,
        })
}

impl Life {
    fn story(&self, name: &str, shop: &Shop) -> Story {
        let ann = match self.known {
            Known::Always => Customer::of(name, SINCE),
            _ => Customer::without_user(name, SINCE),
        };
        let mut events = Vec::new();
        let mut subscriptions = Vec::new();
        for (number, subscription) in self.subscriptions.iter().enumerate() {
            let (sent, truth) = subscription.events(&ann, number, shop);
            events.extend(sent);
            subscriptions.push(truth);
        }
        for (number, purchase) in self.purchases.iter().enumerate() {
            events.extend(purchase.events(&ann, &format!("p{number}"), shop));
        }
        for (number, is_paid) in self.invoices.iter().enumerate() {
            let name = format!("i{number}");
            let kinds: &[&str] =
                if *is_paid { &["paid", "payment_succeeded"] } else { &["payment_failed"] };
            let sent = kinds.iter().zip(1..);
            events.extend(sent.map(|(kind, at)| ann.invoiced(kind, at, &name, &shop.plans[0])));
        }
        if self.known == Known::BySomebody {
            events.push(ann.named(50, name));
        }
        let mut events = self.shuffled(events);
        if self.known == Known::Last {
            events.push(ann.named(50, name));
        }
        Story { events, subscriptions }
    }

    fn shuffled(&self, events: Vec<Value>) -> Vec<Value> {
        let mut places: Vec<(u32, Value)> = Vec::new();
        for (number, event) in events.into_iter().enumerate() {
            let (place, comes_twice) = self.shuffle[number % self.shuffle.len()];
            places.push((place, event.clone()));
            if comes_twice {
                places.push((place.rotate_left(13), event));
            }
        }
        places.sort_by_key(|(place, _)| *place);
        places.into_iter().map(|(_, event)| event).collect()
    }

    /// The final state.
    fn end(&self, shop: &Shop, now: i64) -> Value {
        let is_known = self.known != Known::Never;
        let whose = is_known.then_some("one");
        let ends: Vec<_> = self.subscriptions.iter().map(Subscription::end).collect();
        let listed = ends.iter().enumerate().map(|(number, (status, plan, quantity, ends))| {
            json!([format!("sub_one_{number}"), whose, status, PLANS[*plan].0, quantity, ends])
        });
        // Of two live subscriptions the higher plan counts, and of two equal ones the newer.
        let live = ends.iter().enumerate();
        let live = live.filter(|(_, (status, ..))| ["active", "trialing"].contains(status));
        let best = live.max_by_key(|(number, (_, plan, ..))| (*plan, *number));
        let (entitlement, given) = match best {
            Some((_, (status, plan, _, ends))) => {
                // By time alone, only an active subscription that is not ending has a next period.
                let gives = *status == "active" && !ends || now < SINCE + FIRST_MONTH;
                let given = if gives { PLANS[*plan].1 } else { 0 };
                (json!([PLANS[*plan].0, "stripe", status]), given)
            }
            // The events are old enough for every grace period to be over.
            None => {
                let mut late = ends.iter().rev().map(|(status, ..)| *status);
                let late = late.find(|status| ["past_due", "unpaid"].contains(status));
                (json!(["free", "default", late.unwrap_or("none")]), 0)
            }
        };
        // A customer whose user was never named has no entitlement.
        let is_there = is_known && self.is_known_user();
        let (payments, mut ledger, mut balance) = self.books(shop);
        if given > 0 {
            ledger.insert("plan".to_owned(), given);
            balance += given;
        }
        let invoices = self.invoices.iter().enumerate().map(|(number, is_paid)| {
            let (status, paid) =
                if *is_paid { ("paid", shop.plans[0].amount) } else { ("open", 0) };
            json!([format!("in_one_i{number}"), status, paid])
        });
        json!({
            "subscriptions": list(listed.collect()),
            "payments": list(payments),
            "ledger": if is_there && !ledger.is_empty() { json!(ledger) } else { Value::Null },
            "balances": match balance {
                balance if is_there && balance != 0 => json!({ "ai_credit": balance }),
                _ => Value::Null,
            },
            "entitlement": if is_there { entitlement } else { Value::Null },
            "invoices": list(invoices.collect()),
        })
    }

    fn is_known_user(&self) -> bool {
        match self.known {
            // An invoice does not name its user.
            Known::Always => !self.subscriptions.is_empty() || !self.purchases.is_empty(),
            Known::BySomebody | Known::Last => true,
            Known::Never => false,
        }
    }

    fn books(&self, shop: &Shop) -> (Vec<Value>, BTreeMap<String, i64>, i64) {
        let mut payments = Vec::new();
        let mut ledger = BTreeMap::new();
        let mut balance = 0;
        for (number, purchase) in self.purchases.iter().enumerate() {
            let (credits, price) = purchase.sold(shop);
            let (refunded, disputed) = (purchase.refunded(price), purchase.disputed(price));
            let id = format!("pi_one_p{number}");
            payments.push(json!([id, {
                "status": "succeeded", "amount_minor": price,
                "refunded_minor": refunded, "disputed_minor": disputed,
            }]));
            let by_refunds = credits * refunded.min(price) / price;
            let gone = credits * (refunded + disputed).min(price) / price;
            for (kind, credits) in
                [("purchase", credits), ("refund", -by_refunds), ("dispute", by_refunds - gone)]
            {
                if credits != 0 {
                    ledger.insert(format!("{id} {kind}"), credits);
                }
            }
            balance += credits - gone;
        }
        (payments, ledger, balance)
    }
}

impl Subscription {
    fn events(&self, ann: &Customer, number: usize, shop: &Shop) -> (Vec<Value>, Value) {
        let name = number.to_string();
        let mut events = Vec::new();
        let mut at = 0;
        let mut truth = Value::Null;
        for (place, (status, plan, quantity, ends, later)) in self.states.iter().enumerate() {
            at += later;
            truth = ann.subscription(&name, status, &shop.plans[*plan]);
            truth["items"]["data"][0]["quantity"] = (*quantity).into();
            truth["cancel_at_period_end"] = (*ends).into();
            truth["created"] = (SINCE + i64::try_from(number).unwrap()).into();
            let what = if place == 0 { "created" } else { "updated" };
            let mut event = ann.subscribed(what, at, &truth);
            event["id"] = format!("{}_{name}_{place}", event["id"].as_str().unwrap()).into();
            events.push(event);
        }
        if self.is_deleted {
            truth["status"] = "canceled".into();
            let mut event = ann.subscribed("deleted", at + 1, &truth);
            event["id"] = format!("{}_{name}", event["id"].as_str().unwrap()).into();
            events.push(event);
        }
        (events, truth)
    }

    fn end(&self) -> (&'static str, usize, i64, bool) {
        let (status, plan, quantity, ends, _) = *self.states.last().unwrap();
        (if self.is_deleted { "canceled" } else { status }, plan, quantity, ends)
    }
}

impl Purchase {
    fn sold(&self, shop: &Shop) -> (i64, i64) {
        let number = usize::from(self.is_large);
        (PACKS[number].1, shop.packs[number].amount)
    }

    fn refunded(&self, price: i64) -> i64 {
        let done = self.refunds.iter().filter(|(_, failed)| !failed);
        done.map(|(hundredths, _)| price * hundredths / 100).sum()
    }

    fn disputed(&self, price: i64) -> i64 {
        match self.dispute {
            Some((hundredths, None | Some("lost"))) => price * hundredths / 100,
            _ => 0,
        }
    }

    fn events(&self, ann: &Customer, name: &str, shop: &Shop) -> Vec<Value> {
        let number = usize::from(self.is_large);
        let (pack, sold) = (PACKS[number].0, &shop.packs[number]);
        let mut events = vec![ann.paid(0, name, pack, sold)];
        let mut at = 1;
        let mut in_all = 0;
        for (number, (hundredths, failed)) in self.refunds.iter().enumerate() {
            let amount = sold.amount * hundredths / 100;
            events.push(ann.refund(at, name, number, amount, "pending"));
            events.push(ann.refunded(at, name, sold, in_all + amount));
            let status = if *failed { "failed" } else { "succeeded" };
            events.push(ann.refund(at + 1, name, number, amount, status));
            if !failed {
                in_all += amount;
            }
            at += 2;
        }
        if let Some((hundredths, ending)) = self.dispute {
            let amount = sold.amount * hundredths / 100;
            events.push(ann.disputed(at, name, amount, "needs_response"));
            events.push(ann.disputed(at + 1, name, amount, "under_review"));
            events.extend(ending.map(|ending| ann.disputed(at + 2, name, amount, ending)));
        }
        events
    }
}

fn list(values: Vec<Value>) -> Value {
    if values.is_empty() { Value::Null } else { values.into() }
}

/// PT-3: 400 histories, out of order, partly delivered twice and four at a time, end as the model
/// predicts.
#[tokio::test]
async fn every_history_ends_as_the_model_predicts() {
    let app = TestApp::selling("demo").await;
    let mut shop = Shop { plans: Vec::new(), packs: Vec::new() };
    for (plan, _) in PLANS {
        shop.plans.push(app.plan_sold(plan).await);
    }
    for (pack, _) in PACKS {
        shop.packs.push(app.pack_sold(pack).await);
    }
    let mut runner = TestRunner::deterministic();
    let lives: Vec<Life> =
        (0..400).map(|_| lives().new_tree(&mut runner).unwrap().current()).collect();
    let named = |number: usize| format!("l{number:03}");
    let stories = lives.iter().enumerate().map(|(number, life)| life.story(&named(number), &shop));
    Player::new(&app).play_in_chunks(stories.collect(), 4).await;

    let now = app.now().as_second();
    let ends = end_states(&app, "l").await;
    assert!(ends.len() > 300, "most histories change the state");
    for (name, end) in ends {
        let life = &lives[name[1..].parse::<usize>().unwrap()];
        let ended = all_are(&[(name, end)], &life.end(&shop, now));
        ended.unwrap_or_else(|wrong| panic!("{wrong}\n{life:?}"));
    }
    books(&app).await.unwrap();
}
