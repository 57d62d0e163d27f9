//! The sums of invoices, charges, refunds and balances agree after random actions.

use serde_json::{Value, json};

use super::{customer, give_card, id, price, subscribe};
use crate::support::Stripe;

/// A pseudorandom generator with a fixed seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[usize::try_from(self.below(words.len() as u64)).unwrap()]
    }
}

const CARDS: &[&str] = &[
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_chargeCustomerFail",
    "pm_card_authenticationRequired",
    "pm_usBankAccount_success",
    "pm_usBankAccount_insufficientFunds",
];
const BEHAVIORS: &[&str] =
    &["allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"];
const PRORATIONS: &[&str] = &["always_invoice", "create_prorations", "none"];
const SPANS: &[&str] = &["1h", "1d", "9d", "1mo", "2mo"];

async fn change(stripe: &Stripe, dice: &mut Dice, running: &Value, prices: &[String]) {
    let path = format!("/v1/subscriptions/{}", id(running));
    let item = &running["items"]["data"][0];
    let form = match dice.below(8) {
        0 => json!({ "cancel_at_period_end": dice.below(2) == 0 }),
        1 => json!({ "trial_end": stripe.now() + 86_400 * 20 }),
        2 => json!({ "trial_end": "now" }),
        3 => json!({ "billing_cycle_anchor": { "type": "now" } }),
        4 => json!({ "items": [{ "id": item["id"], "quantity": dice.below(4) }] }),
        _ => {
            let price = &prices[usize::try_from(dice.below(prices.len() as u64)).unwrap()];
            json!({
                "items": [{ "id": item["id"], "price": price }],
                "proration_behavior": dice.pick(PRORATIONS),
                "payment_behavior": dice.pick(BEHAVIORS),
            })
        }
    };
    let answer = stripe.call("POST", &path, form.clone()).await;
    assert!(answer.status < 500, "{form} {}", answer.text);
}

async fn refund_something(stripe: &Stripe, dice: &mut Dice) {
    let charges = stripe.get("/v1/charges", json!({ "limit": 3 })).await;
    if let Some(charge) = charges["data"].as_array().unwrap().last() {
        let form = json!({ "charge": charge["id"], "amount": 1 + dice.below(900) });
        assert!(stripe.call("POST", "/v1/refunds", form).await.status < 500);
    }
}

async fn everything(stripe: &Stripe, path: &str, form: Value) -> Vec<Value> {
    let (mut all, mut page) = (Vec::new(), form);
    page["limit"] = json!(100);
    loop {
        let answer = stripe.get(path, page.clone()).await;
        all.extend(answer["data"].as_array().unwrap().iter().cloned());
        if answer["has_more"] == false {
            return all;
        }
        page["starting_after"] = all.last().unwrap()["id"].clone();
    }
}

fn number(object: &Value, field: &str) -> i64 {
    object[field].as_i64().unwrap()
}

fn assert_invoice(invoice: &Value) {
    let lines = invoice["lines"]["data"].as_array().unwrap();
    let sum: i64 = lines.iter().map(|line| number(line, "amount")).sum();
    assert_eq!(sum, number(invoice, "subtotal"), "{invoice:#}");
    let total = number(invoice, "total");
    let due = (total + number(invoice, "starting_balance")).max(0);
    if invoice["status"] != "draft" {
        assert_eq!(due, number(invoice, "amount_due"), "{invoice:#}");
        let before = number(invoice, "starting_balance");
        assert_eq!(number(invoice, "ending_balance"), (before + total).min(0), "{invoice:#}");
    }
    let (paid, left) = (number(invoice, "amount_paid"), number(invoice, "amount_remaining"));
    assert_eq!(paid + left, number(invoice, "amount_due"), "{invoice:#}");
    assert_eq!(invoice["status"] == "paid", left == 0 && !invoice["number"].is_null());
}

async fn assert_sums(stripe: &Stripe, owner: &str) {
    let invoices = everything(stripe, "/v1/invoices", json!({ "customer": owner })).await;
    invoices.iter().for_each(assert_invoice);
    let paid: i64 = invoices.iter().map(|invoice| number(invoice, "amount_paid")).sum();
    let charges = everything(stripe, "/v1/charges", json!({ "customer": owner })).await;
    let good = charges.iter().filter(|charge| charge["status"] == "succeeded");
    assert_eq!(good.map(|charge| number(charge, "amount")).sum::<i64>(), paid);
    for charge in &charges {
        let of_charge = json!({ "charge": charge["id"] });
        let refunds = everything(stripe, "/v1/refunds", of_charge).await;
        let refunded: i64 = refunds.iter().map(|refund| number(refund, "amount")).sum();
        assert_eq!(refunded, number(charge, "amount_refunded"));
        assert!(refunded <= number(charge, "amount"));
    }
    let path = format!("/v1/customers/{owner}/balance_transactions");
    let moves = everything(stripe, &path, json!({})).await;
    let balance: i64 = moves.iter().map(|one| number(one, "amount")).sum();
    let customer = stripe.get(&format!("/v1/customers/{owner}"), json!({})).await;
    assert_eq!(balance, number(&customer, "balance"));
}

#[tokio::test]
async fn sums_agree_after_random_actions() {
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let stripe = Stripe::new().await;
        let mut prices = Vec::new();
        for (amount, interval) in [(999, "month"), (2499, "month"), (9990, "year"), (0, "month")] {
            prices.push(price(&stripe, amount, Some(interval)).await);
        }
        let owner = customer(&stripe, "pm_card_visa").await;
        for _ in 0..40 {
            let list = stripe.get("/v1/subscriptions", json!({ "customer": owner })).await;
            let running = list["data"].as_array().unwrap().iter();
            let running: Vec<_> =
                running.filter(|one| one["status"] != "incomplete_expired").cloned().collect();
            match (dice.below(6), running.first()) {
                (0, _) => give_card(&stripe, &owner, dice.pick(CARDS)).await,
                (1, _) => stripe.advance(dice.pick(SPANS)).await,
                (2, _) => refund_something(&stripe, &mut dice).await,
                (_, None) => {
                    subscribe(&stripe, &owner, &prices[0], json!({})).await;
                }
                (_, Some(one)) => change(&stripe, &mut dice, one, &prices).await,
            }
        }
        stripe.advance("2mo").await;
        assert_sums(&stripe, &owner).await;
    }
}
