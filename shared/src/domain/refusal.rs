//! Why an SQL function refused a request, as its message says it: JSON with a code of [`ErrorCode`] and
//! what the message for people needs to know.

mod message;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{Error, ErrorCode, ProblemExtension};
use message::Message;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "Message", tag = "code", rename_all = "snake_case")]
pub enum Refusal {
    AccountErased,
    AlreadySubscribed {
        status: String,
    },
    CancellationPending,
    ChangePlanned,
    IdempotencyKeyReused,
    InsufficientCredits {
        unit: String,
        balance: i64,
        needed: i64,
    },
    InvalidInput(InvalidReason),
    NoCustomer,
    NoSubscription,
    NotInGoodStanding {
        status: String,
    },
    NothingToResume,
    PayloadForgotten,
    QuotaExceeded {
        /// The result of each usage entry, as `track_usages` answers it.
        results: Vec<Value>,
    },
    RequestInProgress,
    TrialAlreadyUsed,
    WebhookNotFound,
    WebhookResolved,
}

/// Why a field has an invalid value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum InvalidReason {
    AboveMaxQuantity { max_quantity: u32 },
    AmountTooLarge,
    BalanceTooLarge,
    CountTooLarge { feature: String },
    NoSeats,
    NotMetered { feature: String },
    OpeningBalanceTaken,
    TooManyCredits,
    UnknownCurrency,
    UnknownFeature { feature: String },
    UnknownInterval,
    UnknownPack,
    UnknownPlan,
    UnknownUnit,
}

impl InvalidReason {
    /// The field of the request, and what is wrong with it.
    pub fn field_and_message(&self) -> (&'static str, String) {
        let (field, message) = match self {
            Self::AboveMaxQuantity { max_quantity } => {
                return ("quantity", format!("must be at most {max_quantity} for this pack"));
            }
            Self::AmountTooLarge => ("quantity", "costs more than Stripe takes at once"),
            Self::BalanceTooLarge => ("amount", "would leave a balance beyond 1000000000000000"),
            Self::CountTooLarge { .. } => {
                ("quantity", "would make the count larger than every client can read")
            }
            Self::NoSeats => ("quantity", "must be 1: this plan has no seats"),
            Self::NotMetered { .. } => ("feature", "is not a feature that is counted"),
            Self::OpeningBalanceTaken => {
                ("credits", "differ from the opening balance that was posted before")
            }
            Self::TooManyCredits => ("quantity", "would leave a balance beyond 1000000000000000"),
            Self::UnknownCurrency => ("currency", "is not one it is sold in"),
            Self::UnknownFeature { .. } => ("feature", "is not a feature of the catalog"),
            Self::UnknownInterval => ("interval", "is not sold for this plan"),
            Self::UnknownPack => ("pack", "is not a pack that is sold"),
            Self::UnknownPlan => ("tier", "is not a plan that is sold"),
            Self::UnknownUnit => ("unit", "is not a unit of the catalog's credits"),
        };
        (field, message.to_owned())
    }
}

impl From<InvalidReason> for Error {
    fn from(reason: InvalidReason) -> Self {
        let (field, message) = reason.field_and_message();
        Self::invalid(field, message)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let (code, message) = match refusal {
            Refusal::AccountErased => return Self::account_erased(),
            Refusal::IdempotencyKeyReused => return Self::idempotency_key_reused(),
            Refusal::InvalidInput(reason) => return reason.into(),
            Refusal::RequestInProgress => return Self::request_in_progress(),
            Refusal::InsufficientCredits { unit, balance, needed } => {
                let message = format!("There are {balance} of {unit}, and {needed} are needed.");
                let extension = ProblemExtension::Credits { unit, balance, needed };
                return Self::new(ErrorCode::InsufficientCredits, message)
                    .with_extension(extension);
            }
            Refusal::NotInGoodStanding { status } => {
                let message = format!(
                    "The subscription is {status}: its payment has to be put right first, in the \
                     customer portal."
                );
                return Self::new(ErrorCode::NotInGoodStanding, message);
            }
            Refusal::AlreadySubscribed { status } => {
                (ErrorCode::AlreadySubscribed, already_subscribed(&status))
            }
            Refusal::CancellationPending => (
                ErrorCode::CancellationPending,
                "The subscription is going to end. Resume it first, with action resume.",
            ),
            Refusal::ChangePlanned => (
                ErrorCode::ChangePlanned,
                "A change is planned for the end of the period. Take it back first, with action \
                 resume.",
            ),
            Refusal::NoCustomer => (ErrorCode::NoCustomer, "You have not bought anything yet."),
            Refusal::NoSubscription => (
                ErrorCode::NoSubscription,
                "There is no subscription to change. Begin one with \
                 POST /api/stripe/create-checkout-session.",
            ),
            Refusal::NothingToResume => (
                ErrorCode::NothingToResume,
                "The subscription is neither paused, nor canceled, nor about to change.",
            ),
            Refusal::PayloadForgotten => (
                ErrorCode::PayloadForgotten,
                "What was in this event is not kept any more. Look it up at Stripe, and resolve it \
                 here.",
            ),
            Refusal::QuotaExceeded { .. } => {
                (ErrorCode::QuotaExceeded, "The plan does not allow this usage.")
            }
            Refusal::TrialAlreadyUsed => (
                ErrorCode::TrialAlreadyUsed,
                "There has been a trial since this was first asked for. Ask again with a new \
                 Idempotency-Key.",
            ),
            Refusal::WebhookNotFound => (
                ErrorCode::WebhookNotFound,
                "No event of this id has failed, or it was forgotten since.",
            ),
            Refusal::WebhookResolved => {
                (ErrorCode::WebhookResolved, "This event was dealt with before.")
            }
        };
        Self::new(code, message)
    }
}

fn already_subscribed(status: &str) -> &'static str {
    match status {
        "past_due" | "unpaid" | "incomplete" => {
            "There is a subscription whose payment is missing. Pay it in the customer portal \
             (POST /api/stripe/create-portal-session), or cancel it with PATCH /api/subscription."
        }
        "paused" => "There is a paused subscription. Resume it with PATCH /api/subscription.",
        _ => "There is a subscription already. Change it with PATCH /api/subscription.",
    }
}

/// For operators: everything that SQL said.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Refusal {}
