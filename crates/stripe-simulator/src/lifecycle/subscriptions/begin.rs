//! Creates a subscription with its first period, invoice and payment.

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::lifecycle::cards::{self, BankResponse, Payer};
use crate::lifecycle::discounts::{self, Purchase, Redemption};
use crate::lifecycle::invoicing::{self, Draft, lines};
use crate::lifecycle::payments;
use crate::lifecycle::subscriptions::items::{self, NewItem};
use crate::lifecycle::subscriptions::{self};
use crate::world::calendar::{DAY, Interval};
use crate::world::{World, amounts, shapes, text};

const LONGEST_TRIAL: i64 = 5 * 366 * DAY;

/// The behavior if the first payment does not succeed immediately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PaymentBehavior {
    /// Try, and leave the subscription incomplete if it fails.
    #[default]
    AllowIncomplete,
    /// Do not try: the client confirms the payment intent later.
    DefaultIncomplete,
    ErrorIfIncomplete,
    PendingIfIncomplete,
    /// The payer is on the checkout page, which has already authenticated them.
    Checkout(Payer),
}

/// The fields of a new subscription.
#[derive(Debug, Default)]
pub struct NewSubscription {
    pub customer: String,
    pub currency: String,
    pub items: Vec<NewItem>,
    pub trial_end: Option<i64>,
    pub discounts: Vec<Redemption>,
    pub behavior: PaymentBehavior,
    pub payment_method: Option<String>,
    /// One-time prices of a checkout session, for the first invoice.
    pub extras: Vec<NewItem>,
    /// The id of the checkout session, for the discounts' `checkout_session`.
    pub checkout_session: Option<String>,
    /// Other fields of the subscription, copied unchanged.
    pub fields: Value,
}

impl NewSubscription {
    /// The cost of one period, before discounts.
    pub fn amount(&self) -> i64 {
        let of = |item: &NewItem| {
            let cost = amounts::price_amount(&item.price, &self.currency, item.quantity);
            // An amount that overflows exceeds every limit.
            cost.unwrap_or(i64::MAX)
        };
        self.items.iter().chain(&self.extras).map(of).fold(0, i64::saturating_add)
    }

    /// Checks the prices, amount, discounts and trial.
    pub fn check(&self, world: &World) -> Result<(), StripeError> {
        let prices: Vec<&Value> = self.items.iter().map(|item| &item.price).collect();
        items::check_together(&[], &prices, &self.currency)?;
        amounts::check_total(self.amount(), "items")?;
        let purchase =
            Purchase { customer: &self.customer, currency: &self.currency, amount: self.amount() };
        self.discounts.iter().try_for_each(|wanted| discounts::check(world, wanted, purchase))?;
        self.trial_end.map_or(Ok(()), |end| check_trial_end(world, end, "trial_end"))
    }
}

/// Checks that a trial ends in the future, within five years.
pub fn check_trial_end(world: &World, end: i64, param: &str) -> Result<(), StripeError> {
    let now = world.now();
    let message = if end <= now {
        "Invalid timestamp: must be in the future."
    } else if end > now + LONGEST_TRIAL {
        "Invalid timestamp: must be within the next five years."
    } else {
        return Ok(());
    };
    Err(StripeError::invalid("parameter_invalid_integer", param, message))
}

/// Checks and creates a subscription, and charges its first invoice.
pub fn begin(world: &mut World, wanted: NewSubscription) -> Result<String, StripeError> {
    wanted.check(world)?;
    let method = method_of(world, &wanted);
    if wanted.behavior == PaymentBehavior::ErrorIfIncomplete
        && wanted.trial_end.is_none()
        && wanted.amount() > 0
    {
        check_accepted(world, method.as_deref())?;
    }
    let behavior = wanted.behavior;
    let trial = wanted.trial_end.is_some();
    let (subscription_id, invoice_id) = record(world, wanted);
    let due =
        world.get(&invoice_id).map_or(0, |invoice| invoice["amount_due"].as_i64().unwrap_or(0));
    let needs_payment = due > 0;
    let status = match behavior {
        _ if trial => "trialing",
        PaymentBehavior::Checkout(_) => "active",
        _ if needs_payment => "incomplete",
        _ => "active",
    };
    world.edit(&subscription_id, |subscription| subscription["status"] = json!(status));
    world.emit("customer.subscription.created", &subscription_id);
    world.emit("invoice.created", &invoice_id);
    invoicing::finalize(world, &invoice_id);
    let is_open = world.get(&invoice_id).is_some_and(|invoice| invoice["status"] == "open");
    let payer = match behavior {
        PaymentBehavior::Checkout(payer) => payer,
        PaymentBehavior::DefaultIncomplete => return Ok(subscription_id),
        _ => Payer::Present,
    };
    if is_open {
        // A declined card is not an error: the subscription stays incomplete.
        let _ = invoicing::collect(world, &invoice_id, method, payer);
    }
    Ok(subscription_id)
}

/// Stores the subscription and the draft of its first invoice, without events.
fn record(world: &mut World, wanted: NewSubscription) -> (String, String) {
    let now = world.now();
    let mut subscription = shapes::object(world, "subscription", "sub");
    let id = text(&subscription, "id").to_owned();
    let anchor = wanted.trial_end.unwrap_or(now);
    let recurring =
        wanted.items.first().map_or(Value::Null, |item| item.price["recurring"].clone());
    let period = match wanted.trial_end {
        Some(end) => (now, end),
        None => Interval::of(&recurring).period_at(now, now),
    };
    shapes::set(&mut subscription, wanted.fields);
    shapes::set(
        &mut subscription,
        json!({
            "billing_cycle_anchor": anchor, "currency": wanted.currency,
            "customer": wanted.customer, "start_date": now, "trial_end": wanted.trial_end,
            "trial_start": wanted.trial_end.map(|_| now),
        }),
    );
    subscription["billing_mode"]["updated_at"] = json!(now);
    let made = wanted.items.iter().map(|item| items::make(world, item, &id, period)).collect();
    items::put(&mut subscription, made);
    if subscription["cancel_at_period_end"] == true {
        shapes::set(&mut subscription, json!({ "cancel_at": period.1, "canceled_at": now }));
    }
    world.insert(subscription);
    world.edit(&wanted.customer, |customer| {
        if customer["currency"].is_null() {
            customer["currency"] = json!(wanted.currency);
        }
    });
    let about = json!({ "subscription": id, "checkout_session": wanted.checkout_session });
    let redeemed: Vec<String> = wanted
        .discounts
        .iter()
        .map(|one| discounts::redeem(world, one, &wanted.customer, about.clone()))
        .collect();
    world.edit(&id, |subscription| subscription["discounts"] = json!(redeemed));
    let subscription = world.get(&id).cloned().unwrap_or(Value::Null);
    let mut first = lines::of_period(world, &subscription, period, wanted.trial_end.is_some());
    first.extend(extra_lines(world, &wanted.extras, &wanted.currency, &id));
    let draft = Draft {
        customer: wanted.customer,
        currency: wanted.currency,
        reason: "subscription_create",
        subscription: Some(id.clone()),
        lines: first,
        period: (now, now),
        discounts: redeemed,
        other: json!({ "automatic_tax": subscriptions::automatic_tax(&subscription) }),
        ..Draft::default()
    };
    let charges_now = wanted.trial_end.is_none();
    let invoice_id = invoicing::draft(world, draft);
    let kept = if charges_now {
        subscriptions::without_once(world, &subscription)
    } else {
        subscription["discounts"].clone()
    };
    world.edit(&id, |subscription| {
        subscription["latest_invoice"] = json!(invoice_id);
        subscription["discounts"] = kept;
    });
    (id, invoice_id)
}

fn extra_lines(
    world: &World,
    extras: &[NewItem],
    currency: &str,
    subscription_id: &str,
) -> Vec<Value> {
    let line = |extra: &NewItem| {
        let line = lines::InvoiceLine {
            price: &extra.price,
            quantity: extra.quantity,
            amount: amounts::price_amount(&extra.price, currency, extra.quantity).unwrap_or(0),
            currency,
            description: shapes::product_name(world, &extra.price).to_owned(),
            period: (world.now(), world.now()),
        };
        let mut line = lines::plain(world, &line);
        line["subscription"] = json!(subscription_id);
        line["parent"] = json!({
            "invoice_item_details": {
                "invoice_item": world.new_id("ii"),
                "proration": false,
                "proration_details": { "credited_items": null },
                "subscription": subscription_id,
            },
            "subscription_item_details": null,
            "type": "invoice_item_details",
        });
        line
    };
    extras.iter().map(line).collect()
}

fn method_of(world: &World, wanted: &NewSubscription) -> Option<String> {
    let customer = world.get(&wanted.customer)?;
    let default = customer["invoice_settings"]["default_payment_method"].as_str();
    wanted.payment_method.clone().or_else(|| default.map(str::to_owned))
}

/// Returns an error, before any change, if the bank would not accept the charge immediately.
pub fn check_accepted(world: &World, method_id: Option<&str>) -> Result<(), StripeError> {
    let method = method_id.and_then(|id| world.get(id));
    let Some(method) = method else {
        let message = "This customer has no attached payment source or default payment method.";
        return Err(StripeError::invalid("resource_missing", "", message));
    };
    match cards::authorize(method, Payer::Present) {
        BankResponse::Accepted | BankResponse::Later { .. } => Ok(()),
        BankResponse::Declined(decline) => Err(payments::refusal(method, decline)),
        BankResponse::NeedsAuthentication => {
            let mut error = payments::refusal(method, cards::AUTHENTICATION_REQUIRED);
            error.body["code"] = json!("subscription_payment_intent_requires_action");
            Err(error)
        }
    }
}
