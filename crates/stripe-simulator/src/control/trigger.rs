//! Triggers an event, like `stripe trigger`. It creates the missing objects, then makes the same
//! API calls as a real integration. The related events therefore follow in Stripe's order.
//!
//! Events whose objects cannot be retrieved are not supported.

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::fixtures::{self, FixtureContext};
use crate::lifecycle::checkout::complete::PayerDetails;
use crate::lifecycle::checkout::pay::{self, PaymentOutcome};
use crate::lifecycle::{disputes, settlement};
use crate::suggestion::suggestion;
use crate::world::{World, text};

pub mod describe;
pub mod summary;

type Recipe = fn(&mut FixtureContext<'_>) -> Result<(), StripeError>;

/// All events that can be triggered.
pub const EVENTS: [&str; 25] = [
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "invoice.finalized",
    "invoice_payment.paid",
    "customer.updated",
    "customer.deleted",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "charge.refunded",
    "refund.updated",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
];

fn recipe(event: &str) -> Option<Recipe> {
    Some(match event {
        "checkout.session.completed" => a_paid_session,
        "checkout.session.async_payment_succeeded" => a_late_payment,
        "checkout.session.async_payment_failed" => a_late_refusal,
        "checkout.session.expired" => an_expired_session,
        "customer.subscription.created" => a_new_subscription,
        "customer.subscription.updated" => a_changed_subscription,
        "customer.subscription.deleted" => an_ended_subscription,
        "customer.subscription.paused" => |context| context.paused_subscription().map(drop),
        "customer.subscription.resumed" => a_resumed_subscription,
        "customer.subscription.trial_will_end" => a_trial_about_to_end,
        "invoice.paid"
        | "invoice.payment_succeeded"
        | "invoice.finalized"
        | "invoice_payment.paid" => a_paid_invoice,
        "invoice.payment_failed" => a_declined_invoice,
        "invoice.payment_action_required" => an_invoice_needing_authentication,
        "customer.updated" => a_changed_customer,
        "customer.deleted" => a_deleted_customer,
        "payment_intent.succeeded" => |context| context.charge("pm_card_visa").map(drop),
        "payment_intent.payment_failed" => {
            |context| context.charge("pm_card_chargeDeclined").map(drop)
        }
        "charge.refunded" => |context| a_refund(context).map(drop),
        "refund.updated" => a_changed_refund,
        "charge.dispute.created" => |context| a_dispute(context).map(drop),
        "charge.dispute.updated" => a_changed_dispute,
        "charge.dispute.closed" => a_lost_dispute,
        _ => return None,
    })
}

/// Triggers an event for a user and a plan. Returns the ids of all new events, in order. On an
/// error, the world is unchanged.
pub fn trigger(
    world: &mut World,
    event: &str,
    user: Option<&str>,
    plan: Option<&str>,
) -> Result<Vec<String>, StripeError> {
    let recipe = recipe(event).ok_or_else(|| {
        let message = format!("unknown event {event}; {}", suggestion(event, EVENTS));
        StripeError::invalid("parameter_invalid", "event", message)
    })?;
    let mut context = FixtureContext { world, user, plan };
    context.check()?;
    let before = context.world.clone();
    let last = context.world.all("event").next().map(|event| text(event, "id").to_owned());
    if let Err(error) = recipe(&mut context) {
        *world = before;
        return Err(error);
    }
    let since = world.all("event").map(|event| text(event, "id").to_owned());
    let mut ids: Vec<String> = since.take_while(|id| Some(id) != last.as_ref()).collect();
    ids.reverse();
    Ok(ids)
}

/// Opens a checkout session for the user and the plan, to be paid on its page. Returns its id.
pub fn open_session(
    world: &mut World,
    user: Option<&str>,
    plan: Option<&str>,
) -> Result<String, StripeError> {
    let mut context = FixtureContext { world, user, plan };
    context.check()?;
    context.session()
}

/// A metadata change with a random value, so that it always changes the object.
fn mark(context: &FixtureContext<'_>) -> Value {
    json!({ "metadata": { "triggered": context.world.new_id("mark") } })
}

fn a_paid_session(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    let session = context.session()?;
    pay::submit(context.world, &session, PaymentOutcome::Paid, PayerDetails::default())
}

fn a_late_payment(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    settled_later(context, PaymentOutcome::PaysLater)
}

fn a_late_refusal(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    settled_later(context, PaymentOutcome::FailsLater)
}

/// Completes a session with a delayed payment method, and settles its payment immediately. Nothing
/// else is brought forward.
fn settled_later(
    context: &mut FixtureContext<'_>,
    outcome: PaymentOutcome,
) -> Result<(), StripeError> {
    let session = context.session()?;
    pay::submit(context.world, &session, outcome, PayerDetails::default())?;
    settlement::settle_session(context.world, &session);
    Ok(())
}

fn an_expired_session(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    let session = context.session()?;
    context.post(&format!("/v1/checkout/sessions/{session}/expire"), json!({})).map(drop)
}

fn a_new_subscription(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    let customer = context.customer_with_card("pm_card_visa")?;
    context.subscribe(&customer, json!({})).map(drop)
}

/// Changes to the named plan if it differs. Otherwise changes only the metadata.
fn a_changed_subscription(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    let subscription = context.subscription()?;
    let item = &subscription["items"]["data"][0];
    let mut form = mark(context);
    if context.plan.is_some() {
        let price = context.price()?;
        if item["price"]["id"] != price["id"] {
            form = json!({ "items": [{ "id": item["id"], "price": price["id"] }] });
        }
    }
    context.post(&format!("/v1/subscriptions/{}", text(&subscription, "id")), form).map(drop)
}

fn an_ended_subscription(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    let subscription = context.subscription()?;
    context.delete(&format!("/v1/subscriptions/{}", text(&subscription, "id")))
}

fn a_resumed_subscription(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    let subscription = context.paused_subscription()?;
    context.customer_with_card("pm_card_visa")?;
    context.post(&format!("/v1/subscriptions/{subscription}/resume"), json!({})).map(drop)
}

/// Starts a trial of 14 days 11 days ago: Stripe sends the event three days before the end.
fn a_trial_about_to_end(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    let customer = context.customer_with_card("pm_card_visa")?;
    context.trial_begun_ago(&customer, 11, json!({ "trial_period_days": 14 })).map(drop)
}

/// Begins a new period and charges the card for it.
fn new_period(context: &mut FixtureContext<'_>, card: &str) -> Result<(), StripeError> {
    let subscription = context.subscription()?;
    context.customer_with_card(card)?;
    let form = json!({ "billing_cycle_anchor": { "type": "now" }, "proration_behavior": "none" });
    let path = format!("/v1/subscriptions/{}", text(&subscription, "id"));
    let renewed = context.post(&path, form);
    fixtures::ignore_card_errors(renewed)
}

fn a_paid_invoice(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    new_period(context, "pm_card_visa")
}

fn a_declined_invoice(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    new_period(context, "pm_card_chargeCustomerFail")
}

fn an_invoice_needing_authentication(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    new_period(context, "pm_card_authenticationRequired")
}

fn a_changed_customer(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    let customer = context.customer()?;
    let form = mark(context);
    context.post(&format!("/v1/customers/{customer}"), form).map(drop)
}

fn a_deleted_customer(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    let customer = context.customer()?;
    context.delete(&format!("/v1/customers/{customer}"))
}

fn a_refund(context: &mut FixtureContext<'_>) -> Result<Value, StripeError> {
    let charge = context.paid_charge()?;
    context.post("/v1/refunds", json!({ "charge": charge }))
}

fn a_changed_refund(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    let refund = a_refund(context)?;
    let form = mark(context);
    context.post(&format!("/v1/refunds/{}", text(&refund, "id")), form).map(drop)
}

fn a_dispute(context: &mut FixtureContext<'_>) -> Result<String, StripeError> {
    let charge = context.paid_charge()?;
    disputes::open(context.world, &charge, "fraudulent")
}

fn a_changed_dispute(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    let dispute = a_dispute(context)?;
    let form = json!({ "evidence": { "product_description": "A subscription." } });
    context.post(&format!("/v1/disputes/{dispute}"), form).map(drop)
}

fn a_lost_dispute(context: &mut FixtureContext<'_>) -> Result<(), StripeError> {
    let dispute = a_dispute(context)?;
    context.post(&format!("/v1/disputes/{dispute}/close"), json!({})).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::prices::offers;
    use crate::world::World;
    use crate::world::text;

    fn world() -> World {
        let mut world = World::default();
        world.set_now(1_800_000_000);
        world
    }

    fn types(world: &World, ids: &[String]) -> Vec<String> {
        let event = |id: &String| text(world.get(id).unwrap(), "type").to_owned();
        ids.iter().map(event).collect()
    }

    #[test]
    fn every_supported_event_can_be_triggered() {
        for event in EVENTS {
            let mut world = world();
            for attempt in ["in an empty world", "again"] {
                let ids = trigger(&mut world, event, Some("user_1"), None);
                let ids = ids.unwrap_or_else(|error| panic!("{event} {attempt}: {error:?}"));
                let types = types(&world, &ids);
                assert!(types.iter().any(|one| one == event), "{event} {attempt}: {types:?}");
            }
        }
    }

    #[test]
    fn an_unknown_event_changes_nothing() {
        let mut world = world();
        let error = trigger(&mut world, "charge.dreamt", None, None).unwrap_err();
        let expected = "unknown event charge.dreamt; available: checkout.session.completed, ";
        assert!(error.message().starts_with(expected), "{}", error.message());
        let error = trigger(&mut world, "invoice.payd", None, None).unwrap_err();
        assert_eq!(error.message(), "unknown event invoice.payd; did you mean invoice.paid?");
        assert!(world.all("event").next().is_none());
    }

    #[test]
    fn a_triggered_purchase_is_for_the_user_and_plan() {
        let mut world = world();
        trigger(&mut world, "checkout.session.completed", Some("user_1"), Some("pro")).unwrap();
        let session = world.all("checkout.session").next().unwrap().clone();
        assert_eq!(session["metadata"]["userId"], "user_1");
        assert_eq!(session["status"], "complete");
        let subscription = world.get(text(&session, "subscription")).unwrap();
        assert_eq!(subscription["metadata"]["userId"], "user_1");
        let price = &subscription["items"]["data"][0]["price"];
        assert_eq!(price["metadata"]["plan"], "pro");
        assert_eq!(offers(&world), ["pro"]);
    }

    #[test]
    fn an_unknown_plan_is_refused_if_plans_exist() {
        let mut world = world();
        trigger(&mut world, "customer.subscription.created", None, Some("plus")).unwrap();
        let events = world.all("event").count();
        for refused in [
            trigger(&mut world, "checkout.session.completed", None, Some("gold")).unwrap_err(),
            open_session(&mut world, None, Some("gold")).unwrap_err(),
        ] {
            let expected = "unknown plan or pack gold; available: plus";
            assert_eq!(text(&refused.body, "message"), expected);
        }
        let mistyped = trigger(&mut world, "invoice.paid", None, Some("plsu")).unwrap_err();
        assert_eq!(mistyped.message(), "unknown plan or pack plsu; did you mean plus?");
        assert_eq!(world.all("event").count(), events);
    }
}
