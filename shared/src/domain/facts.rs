//! What Stripe's objects say, in the form in which the database merges it.
//!
//! Pure, and tolerant of every version of Stripe's API: where a field moved, whichever place has it
//! counts. Times are Stripe's own seconds; nothing here knows what time it is. An object with a status that
//! Stripe did not have when this was written says nothing, and neither does the stub of a deleted one.

mod customer;
mod invoice;
mod payment;
mod session;
mod subscription;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::UserId;
use super::object::{Object, flag, list, text};

/// Everything one event, or one answer, tells: objects by their kind, in SQL's names.
#[derive(Clone, Debug, Default)]
pub struct Facts(Map<String, Value>);

/// What is missing from an object without which it says nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an object of Stripe's without its {0}")]
pub struct Unreadable(&'static str);

impl Facts {
    /// What an event of that type, and second, says with that object. Nothing, if it changes nothing for us.
    pub fn of_event(kind: &str, at: i64, object: &Object) -> Result<Self, Unreadable> {
        // `charge.refund.updated` brings a refund: what an object says it is goes before the event's name.
        let (subject, verb) = kind.rsplit_once('.').unwrap_or_default();
        let named = text(object, "object").unwrap_or(subject);
        // Of what is gone a stub is left; a customer's says that they are gone.
        let is_stub = flag(object, "deleted") && named != "customer";
        let facts = match named {
            _ if is_stub => Self::default(),
            "subscription" | "customer.subscription" => Self::of_subscription(object)?,
            "checkout.session" => Self::of_session(&session::completed(object, verb, at))?,
            // One that is yet to come is none: it may have no id, and never come. Only a draft is deleted,
            // and drafts decide nothing.
            "invoice" if ["upcoming", "deleted"].contains(&verb) => Self::default(),
            "invoice" => Self::of_invoice(object)?,
            "invoice_payment" => Self::default().with("payment", payment::of_invoice(object)),
            "customer" => Self::of_customer(object, verb == "deleted")?,
            "payment_intent" => Self::of_intent(object, verb == "payment_failed")?,
            "charge" => Self::of_charge(object)?,
            "refund" | "charge.refund" => {
                let refund = payment::refund(object)?.map(|refund| [refund]);
                Self::of_return("refunds", refund, object)
            }
            "dispute" | "charge.dispute" => {
                Self::of_return("dispute", payment::dispute(object)?, object)
            }
            _ => Self::default(),
        };
        Ok(facts.with("notice", notice(kind)))
    }

    pub fn of_subscription(object: &Object) -> Result<Self, Unreadable> {
        if flag(object, "deleted") {
            return Ok(Self::default());
        }
        Ok(Self::default().with("subscription", subscription::subscription(object)?))
    }

    /// A session, its payment, and the subscription it made where that came with it.
    pub fn of_session(object: &Object) -> Result<Self, Unreadable> {
        let made = &object["subscription"];
        let facts = if made.is_object() { Self::of_subscription(made)? } else { Self::default() };
        let Some(session) = session::session(object)? else { return Ok(facts) };
        Ok(facts.with("session", Some(session)).with("payment", session::payment(object)))
    }

    fn of_invoice(object: &Object) -> Result<Self, Unreadable> {
        let Some(invoice) = invoice::invoice(object)? else { return Ok(Self::default()) };
        Ok(Self::default().with("invoice", Some(invoice)).with("payment", invoice::payment(object)))
    }

    fn of_customer(object: &Object, is_deletion: bool) -> Result<Self, Unreadable> {
        Ok(Self::default().with("customer", Some(customer::customer(object, is_deletion)?)))
    }

    fn of_intent(object: &Object, is_failure: bool) -> Result<Self, Unreadable> {
        Ok(Self::default().with("payment", Some(payment::of_intent(object, is_failure)?)))
    }

    /// Older versions list its refunds, the newer only their sum.
    fn of_charge(object: &Object) -> Result<Self, Unreadable> {
        let refunds = list(object, "refunds").iter();
        let refunds: Vec<_> =
            refunds.filter_map(|refund| payment::refund(refund).ok().flatten()).collect();
        Ok(Self::default()
            .with("payment", Some(payment::of_charge(object)?))
            .with("refunds", Some(refunds).filter(|refunds| !refunds.is_empty())))
    }

    /// Money that goes back, or may. Nothing, if no payment brought it: a customer's own transfer did.
    fn of_return(name: &str, fact: Option<impl Serialize>, object: &Object) -> Self {
        let payment = payment::returned(object);
        let fact = fact.filter(|_| payment.is_some());
        Self::default().with("payment", payment).with(name, fact)
    }

    /// Adds a fact, if there is one.
    fn with(mut self, name: &str, fact: Option<impl Serialize>) -> Self {
        if let Some(fact) = fact {
            self.0.insert(name.to_owned(), json!(fact));
        }
        self
    }

    pub fn subscription_id(&self) -> Option<&str> {
        text(self.0.get("subscription")?, "id")
    }

    /// The subscription's fact, if there is no other, and nothing that the user should be told.
    pub fn only_subscription(&self) -> Option<&Value> {
        self.0.get("subscription").filter(|_| self.0.len() == 1)
    }

    pub fn payment_id(&self) -> Option<&str> {
        text(self.0.get("payment")?, "id")
    }

    /// The id of the session in it, if that is over and nothing of it is unpaid.
    pub fn finished_session(&self) -> Option<&str> {
        let session = self.0.get("session")?;
        let is_settled = text(session, "payment_status") != Some("unpaid");
        let is_over = text(session, "status") == Some("complete") && is_settled;
        text(session, "id").filter(|_| is_over)
    }

    /// The id of the session in it, if that was paid and does not name its payment: a refund names nothing
    /// else, and would not find what was sold.
    pub fn session_without_payment(&self) -> Option<&str> {
        let session = self.0.get("session")?;
        let is_purchase = text(session, "mode") == Some("payment");
        let is_paid = text(session, "payment_status") == Some("paid");
        text(session, "id").filter(|_| is_purchase && is_paid && !self.0.contains_key("payment"))
    }

    /// The same, with the buyer whom the session's `client_reference_id` names, where nothing else in it
    /// names one.
    pub fn trusting_reference(mut self) -> Self {
        let Some(session) = self.0.get("session") else { return self };
        let reference = session["reference"].clone();
        if session["user_id"].is_null() && reference.is_string() {
            for name in ["session", "payment"] {
                if let Some(Value::Object(fact)) = self.0.get_mut(name) {
                    fact.insert("user_id".to_owned(), reference.clone());
                }
            }
        }
        self
    }

    /// The same, with what the user should be told because of the event that they answer.
    pub fn noticing(self, event: &Self) -> Self {
        self.with("notice", event.0.get("notice"))
    }

    pub fn as_json(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// What the user should be told because of it.
fn notice(kind: &str) -> Option<&'static str> {
    match kind {
        "customer.subscription.trial_will_end" => Some("trial_ending"),
        "checkout.session.async_payment_failed"
        | "invoice.payment_action_required"
        | "invoice.payment_failed" => Some("payment_failed"),
        _ => None,
    }
}

/// Whom the maker of an object wrote into it, if that can be a user.
pub fn named_user(object: &Object) -> Option<&str> {
    let metadata = &object["metadata"];
    ["userId", "user_id"].into_iter().find_map(|field| user(metadata, field))
}

/// A field that can be a user's id.
fn user<'a>(object: &'a Object, field: &str) -> Option<&'a str> {
    text(object, field).filter(|id| UserId::try_from((*id).to_owned()).is_ok())
}

#[cfg(test)]
mod tests;
