//! Objects that a triggered event needs: a customer, a price, a session, a subscription, a charge.
//!
//! A fixture uses existing objects and creates the missing ones through the API.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::api::{Verb, request};
use crate::error::StripeError;
use crate::lifecycle::billing;
use crate::suggestion::suggestion;
use crate::world::calendar::DAY;
use crate::world::{World, text};

pub mod prices;

/// The user of a trigger that names none.
pub const DEFAULT_USER: &str = "test-123";

/// The user and the plan that a trigger is about.
pub struct FixtureContext<'a> {
    pub world: &'a mut World,
    pub user: Option<&'a str>,
    pub plan: Option<&'a str>,
}

impl FixtureContext<'_> {
    pub fn post(&mut self, path: &str, form: Value) -> Result<Value, StripeError> {
        request(self.world, Verb::Post, path, form)
    }

    pub fn delete(&mut self, path: &str) -> Result<(), StripeError> {
        request(self.world, Verb::Delete, path, json!({})).map(drop)
    }

    /// The user's customer, if there is one.
    pub fn known_customer(&self) -> Option<String> {
        let user = self.user.unwrap_or(DEFAULT_USER);
        let is_theirs = |customer: &&Value| {
            let metadata = &customer["metadata"];
            customer["deleted"] != true
                && ["userId", "user_id"].iter().any(|name| metadata[name] == user)
        };
        let customer = self.world.all("customer").find(is_theirs)?;
        Some(text(customer, "id").to_owned())
    }

    /// The user's customer, or a new one.
    pub fn customer(&mut self) -> Result<String, StripeError> {
        if let Some(customer) = self.known_customer() {
            return Ok(customer);
        }
        let user = self.user.unwrap_or(DEFAULT_USER);
        let local: String = user.chars().filter(char::is_ascii_alphanumeric).collect();
        let form = json!({
            "email": format!("{}@example.com", if local.is_empty() { "user" } else { &local }),
            "name": user,
            "metadata": { "userId": user },
        });
        Ok(text(&self.post("/v1/customers", form)?, "id").to_owned())
    }

    /// The user's customer, with this card as its default and that of its subscriptions.
    pub fn customer_with_card(&mut self, card: &str) -> Result<String, StripeError> {
        let customer = self.customer()?;
        let attach = format!("/v1/payment_methods/{card}/attach");
        let card = self.post(&attach, json!({ "customer": customer }))?;
        let settings = json!({ "invoice_settings": { "default_payment_method": card["id"] } });
        self.post(&format!("/v1/customers/{customer}"), settings)?;
        for subscription in self.subscriptions(&customer) {
            if subscription["default_payment_method"].is_string() {
                let path = format!("/v1/subscriptions/{}", text(&subscription, "id"));
                self.post(&path, json!({ "default_payment_method": card["id"] }))?;
            }
        }
        Ok(customer)
    }

    /// Refuses an unknown plan. In an account without plans, `price` creates it.
    pub fn check(&self) -> Result<(), StripeError> {
        let Some(plan) = self.plan else { return Ok(()) };
        let there = prices::plan_names(self.world);
        if there.is_empty() || prices::find(self.world, plan).is_some() {
            return Ok(());
        }
        let suggestion = suggestion(plan, there.iter().map(String::as_str));
        let message = format!("unknown plan or pack {plan}; {suggestion}");
        Err(StripeError::invalid("parameter_invalid", "plan", message))
    }

    /// The price with the plan's name, or a new one. Without a plan: the cheapest monthly price.
    pub fn price(&mut self) -> Result<Value, StripeError> {
        let known = match self.plan {
            Some(plan) => prices::find(self.world, plan),
            None => prices::default(self.world),
        };
        if let Some(price) = known {
            return Ok(price);
        }
        let plan = self.plan.unwrap_or("plan");
        let product = json!({ "name": plan, "metadata": { "plan": plan } });
        let product = self.post("/v1/products", product)?;
        let form = json!({
            "currency": "usd", "unit_amount": 999, "product": product["id"],
            "recurring": { "interval": "month" }, "metadata": { "plan": plan },
        });
        self.post("/v1/prices", form)
    }

    /// Creates an open checkout session.
    pub fn session(&mut self) -> Result<String, StripeError> {
        let (customer, price) = (self.customer()?, self.price()?);
        let user = self.user.unwrap_or(DEFAULT_USER);
        let metadata = json!({ "userId": user, "plan": self.plan.unwrap_or("plan") });
        let mut form = json!({
            "customer": customer, "client_reference_id": user, "metadata": metadata,
            "line_items": [{ "price": price["id"], "quantity": 1 }],
            "success_url": format!("{}/simulator", self.world.base()),
        });
        if price["recurring"].is_object() {
            form["mode"] = json!("subscription");
            form["subscription_data"] = json!({ "metadata": metadata });
        } else {
            form["mode"] = json!("payment");
            form["payment_intent_data"] = json!({ "metadata": metadata });
        }
        Ok(text(&self.post("/v1/checkout/sessions", form)?, "id").to_owned())
    }

    /// The customer's current subscriptions, newest first.
    fn subscriptions(&self, customer: &str) -> Vec<Value> {
        let over =
            |status: &str| matches!(status, "canceled" | "incomplete" | "incomplete_expired");
        let theirs = self.world.all("subscription").filter(|one| text(one, "customer") == customer);
        theirs.filter(|one| !over(text(one, "status"))).cloned().collect()
    }

    pub fn subscribe(&mut self, customer: &str, more: Value) -> Result<Value, StripeError> {
        let price = self.price()?;
        let mut form = json!({
            "customer": customer,
            "items": [{ "price": price["id"] }],
            "metadata": { "userId": self.user.unwrap_or(DEFAULT_USER), "plan": self.plan.unwrap_or("plan") },
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            form[name] = value.clone();
        }
        self.post("/v1/subscriptions", form)
    }

    /// The user's subscription, or a new paid one.
    pub fn subscription(&mut self) -> Result<Value, StripeError> {
        let customer = self.customer()?;
        if let Some(subscription) = self.subscriptions(&customer).into_iter().next() {
            return Ok(subscription);
        }
        let customer = self.customer_with_card("pm_card_visa")?;
        self.subscribe(&customer, json!({}))
    }

    /// Creates a subscription whose trial began `days` ago, and applies everything due since then.
    pub fn trial_begun_ago(
        &mut self,
        customer: &str,
        days: i64,
        trial: Value,
    ) -> Result<String, StripeError> {
        let now = self.world.now();
        self.world.set_now(now - days * DAY);
        let subscription = self.subscribe(customer, trial);
        self.world.set_now(now);
        billing::run_due(self.world);
        self.world.set_now(now);
        Ok(text(&subscription?, "id").to_owned())
    }

    /// Creates a subscription without a card whose trial has just ended.
    pub fn paused_subscription(&mut self) -> Result<String, StripeError> {
        let customer = self.customer()?;
        let unset = json!({ "invoice_settings": { "default_payment_method": "" } });
        self.post(&format!("/v1/customers/{customer}"), unset)?;
        let trial = json!({
            "trial_period_days": 7,
            "trial_settings": { "end_behavior": { "missing_payment_method": "pause" } },
        });
        self.trial_begun_ago(&customer, 7, trial)
    }

    /// Charges a card once for the price's amount.
    pub fn charge(&mut self, card: &str) -> Result<(), StripeError> {
        let (customer, price) = (self.customer()?, self.price()?);
        let form = json!({
            "amount": price["unit_amount"], "currency": price["currency"], "customer": customer,
            "payment_method": card, "confirm": true, "off_session": true,
            "metadata": { "userId": self.user.unwrap_or(DEFAULT_USER) },
        });
        let charged = self.post("/v1/payment_intents", form);
        ignore_card_errors(charged)
    }

    /// The customer's latest charge without a refund or dispute, or a new one.
    pub fn paid_charge(&mut self) -> Result<String, StripeError> {
        let customer = self.customer()?;
        if self.whole_charge(&customer).is_none() {
            self.charge("pm_card_visa")?;
        }
        self.whole_charge(&customer).ok_or_else(|| StripeError::missing("charge", "", "charge"))
    }

    fn whole_charge(&self, customer: &str) -> Option<String> {
        let theirs = self.world.all("charge").filter(|one| text(one, "customer") == customer);
        let mut whole = theirs.filter(|one| {
            one["status"] == "succeeded" && one["amount_refunded"] == 0 && one["disputed"] != true
        });
        whole.next().map(|charge| text(charge, "id").to_owned())
    }
}

/// Turns a card error into success: a trigger may ask for a declined card.
pub fn ignore_card_errors(result: Result<Value, StripeError>) -> Result<(), StripeError> {
    match result {
        Err(error) if error.status != StatusCode::PAYMENT_REQUIRED => Err(error),
        _ => Ok(()),
    }
}
