//! Facts: the contents of Stripe's objects, in the form that Postgres merges.
//!
//! This module is pure, and reads every version of Stripe's API: if a field moved, it is read from
//! whichever place has it. Times are Stripe's own seconds. An object with an unknown status has no
//! facts, and neither does the stub of a deleted object.

mod customer;
mod invoice;
mod payment;
mod session;
mod subscription;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::UserId;
use super::object::{Object, flag, list, text};

/// The facts of one event or response: objects by their kind, with the names that SQL uses.
#[derive(Clone, Debug, Default)]
pub struct Facts(Map<String, Value>);

/// An object without a required field, which is named.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a Stripe object lacks its {0}")]
pub struct Unreadable(&'static str);

impl Facts {
    /// Returns the facts of an event of type `kind` that was created at `at`. There are none if
    /// Farebox does not use such an event.
    pub fn of_event(kind: &str, at: i64, object: &Object) -> Result<Self, Unreadable> {
        // `charge.refund.updated` contains a refund, so the object's own type wins over the event's
        // name.
        let (subject, verb) = kind.rsplit_once('.').unwrap_or_default();
        let named = text(object, "object").unwrap_or(subject);
        // A deleted object is sent as a stub. Only a customer's stub matters: it is the deletion.
        let is_stub = flag(object, "deleted") && named != "customer";
        let facts = match named {
            _ if is_stub => Self::default(),
            "subscription" | "customer.subscription" => Self::of_subscription(object)?,
            "checkout.session" => Self::of_session(&session::completed(object, verb, at))?,
            // An upcoming invoice may have no id and may never exist. Only drafts are deleted, and
            // a draft decides nothing.
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

    /// Returns the facts of a session, its payment, and its subscription if that is expanded.
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

    /// Returns the facts of a page of a list of invoices.
    pub fn of_invoices(objects: &[Object]) -> Result<Self, Unreadable> {
        let facts: Result<Vec<_>, _> = objects.iter().map(invoice::invoice).collect();
        Ok(Self::default().with("invoices", Some(facts?.into_iter().flatten().collect::<Vec<_>>())))
    }

    fn of_customer(object: &Object, is_deletion: bool) -> Result<Self, Unreadable> {
        Ok(Self::default().with("customer", Some(customer::customer(object, is_deletion)?)))
    }

    fn of_intent(object: &Object, is_failure: bool) -> Result<Self, Unreadable> {
        Ok(Self::default().with("payment", Some(payment::of_intent(object, is_failure)?)))
    }

    /// Older API versions list the refunds of a charge, newer ones only their sum.
    fn of_charge(object: &Object) -> Result<Self, Unreadable> {
        let refunds = list(object, "refunds").iter();
        let refunds: Vec<_> =
            refunds.filter_map(|refund| payment::refund(refund).ok().flatten()).collect();
        Ok(Self::default()
            .with("payment", Some(payment::of_charge(object)?))
            .with("refunds", Some(refunds).filter(|refunds| !refunds.is_empty())))
    }

    /// Returns the facts of a refund or a dispute. There are none if it has no payment, as for a
    /// refund of a customer's cash balance.
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

    /// Returns the subscription's fact, if there is no other fact and no notice for the user.
    pub fn only_subscription(&self) -> Option<&Value> {
        self.0.get("subscription").filter(|_| self.0.len() == 1)
    }

    pub fn payment_id(&self) -> Option<&str> {
        text(self.0.get("payment")?, "id")
    }

    /// Returns the id of the session, if it is complete and not unpaid.
    pub fn finished_session(&self) -> Option<&str> {
        let session = self.0.get("session")?;
        let is_settled = text(session, "payment_status") != Some("unpaid");
        let is_over = text(session, "status") == Some("complete") && is_settled;
        text(session, "id").filter(|_| is_over)
    }

    /// Returns the id of the session, if it is a paid purchase that does not name its payment. A
    /// refund names only the payment, so the purchase could not be found from it.
    pub fn session_without_payment(&self) -> Option<&str> {
        let session = self.0.get("session")?;
        let is_purchase = text(session, "mode") == Some("payment");
        let is_paid = text(session, "payment_status") == Some("paid");
        text(session, "id").filter(|_| is_purchase && is_paid && !self.0.contains_key("payment"))
    }

    /// Sets the buyer to the session's `client_reference_id`, if nothing else names the buyer.
    pub fn with_client_reference(mut self) -> Self {
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

    /// Adds the notice of the event whose facts these replace.
    pub fn with_notice_of(self, event: &Self) -> Self {
        self.with("notice", event.0.get("notice"))
    }

    pub fn as_json(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// Returns the notice that an event of this type sends to the user.
fn notice(kind: &str) -> Option<&'static str> {
    match kind {
        "customer.subscription.trial_will_end" => Some("trial_ending"),
        "checkout.session.async_payment_failed"
        | "invoice.payment_action_required"
        | "invoice.payment_failed" => Some("payment_failed"),
        _ => None,
    }
}

/// Returns the user id in an object's metadata, if it is a valid one.
pub fn metadata_user_id(object: &Object) -> Option<&str> {
    let metadata = &object["metadata"];
    ["userId", "user_id"].into_iter().find_map(|field| user(metadata, field))
}

/// Returns a field, if it is a valid user id.
fn user<'a>(object: &'a Object, field: &str) -> Option<&'a str> {
    text(object, field).filter(|id| UserId::try_from((*id).to_owned()).is_ok())
}

#[cfg(test)]
mod tests;
