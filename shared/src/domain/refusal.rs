//! Refusals by SQL functions. The message of such an SQL error is JSON: a code of [`ErrorCode`],
//! and the values for the public message.

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
    HistoryEntryNotFound,
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
    PreviewNotFound,
    PreviewOutdated,
    QuotaExceeded {
        /// The result of each usage entry, as `track_usages` returns it.
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
    UnknownCursor,
    UnknownFeature { feature: String },
    UnknownInterval,
    UnknownPack,
    UnknownPlan,
    UnknownUnit,
}

impl InvalidReason {
    /// Returns the field of the request, and the problem with it.
    pub fn field_and_message(&self) -> (&'static str, String) {
        let (field, message) = match self {
            Self::AboveMaxQuantity { max_quantity } => {
                return ("quantity", format!("must be at most {max_quantity} for this pack"));
            }
            Self::AmountTooLarge => {
                ("quantity", "is too large: Stripe does not accept so large a payment")
            }
            Self::BalanceTooLarge => {
                ("amount", "would leave a balance beyond 1000000000000000 or -1000000000000000")
            }
            Self::CountTooLarge { .. } => {
                ("quantity", "would raise the usage above 9007199254740991")
            }
            Self::NoSeats => ("quantity", "must be 1: this plan has no seats"),
            Self::NotMetered { .. } => ("feature", "is not a metered feature of the catalog"),
            Self::OpeningBalanceTaken => {
                ("credits", "differ from the opening balance that is already posted")
            }
            Self::TooManyCredits => ("quantity", "would raise the balance above 1000000000000000"),
            Self::UnknownCurrency => {
                ("currency", "is not a currency in which this plan or pack is sold")
            }
            Self::UnknownCursor => ("cursor", "must be the nextCursor of an earlier page"),
            Self::UnknownFeature { .. } => ("feature", "is not a feature of the catalog"),
            Self::UnknownInterval => ("interval", "is not sold for this plan"),
            Self::UnknownPack => ("pack", "is not a pack that is sold"),
            Self::UnknownPlan => ("tier", "is not a plan that is sold"),
            Self::UnknownUnit => ("unit", "is not a unit of the catalog's credits"),
        };
        (field, message.to_owned())
    }
}

impl Refusal {
    /// The message of a refused spend. `credits` is the unit or, better, its display name.
    pub fn insufficient(credits: &str, balance: i64, needed: i64) -> String {
        format!("The balance of {credits} is {balance}, but {needed} are needed.")
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
                return insufficient_credits(unit, balance, needed);
            }
            Refusal::NotInGoodStanding { status } => return not_in_good_standing(&status),
            Refusal::AlreadySubscribed { status } => {
                (ErrorCode::AlreadySubscribed, already_subscribed(&status))
            }
            Refusal::CancellationPending => (
                ErrorCode::CancellationPending,
                "The subscription is going to end. Resume it first, with action resume.",
            ),
            Refusal::ChangePlanned => (
                ErrorCode::ChangePlanned,
                "A change is scheduled for the end of the period. Undo it first, with action \
                 resume.",
            ),
            Refusal::HistoryEntryNotFound => (
                ErrorCode::HistoryEntryNotFound,
                "The history has no entry with this id. It may have been deleted, or be older than the \
                 plan keeps.",
            ),
            Refusal::NoCustomer => (ErrorCode::NoCustomer, "You have not bought anything yet."),
            Refusal::NoSubscription => (
                ErrorCode::NoSubscription,
                "There is no subscription to change. Start one with \
                 POST /api/stripe/create-checkout-session.",
            ),
            Refusal::NothingToResume => (
                ErrorCode::NothingToResume,
                "The subscription is neither paused, nor canceled, nor about to change.",
            ),
            Refusal::PayloadForgotten => (
                ErrorCode::PayloadForgotten,
                "The payload of this event was deleted after 30 days. Look it up at Stripe, and \
                 resolve it here.",
            ),
            Refusal::PreviewNotFound => (
                ErrorCode::PreviewNotFound,
                "There is no such preview, or it was deleted since. Preview the change again.",
            ),
            Refusal::PreviewOutdated => return Self::preview_outdated(),
            Refusal::QuotaExceeded { .. } => {
                (ErrorCode::QuotaExceeded, "The plan does not allow this usage.")
            }
            Refusal::TrialAlreadyUsed => (
                ErrorCode::TrialAlreadyUsed,
                "The user has had a trial since the first request with this Idempotency-Key. Send \
                 the request again with a new key.",
            ),
            Refusal::WebhookNotFound => (
                ErrorCode::WebhookNotFound,
                "No failed event has this id, or it was deleted since.",
            ),
            Refusal::WebhookResolved => {
                (ErrorCode::WebhookResolved, "This event is already resolved.")
            }
        };
        Self::new(code, message)
    }
}

fn insufficient_credits(unit: String, balance: i64, needed: i64) -> Error {
    let message = Refusal::insufficient(&unit, balance, needed);
    let extension = ProblemExtension::Credits { unit, balance, needed };
    Error::new(ErrorCode::InsufficientCredits, message).with_extension(extension)
}

fn not_in_good_standing(status: &str) -> Error {
    let message =
        format!("The subscription is {status}. Pay its open invoice in the customer portal first.");
    Error::new(ErrorCode::NotInGoodStanding, message)
}

fn already_subscribed(status: &str) -> &'static str {
    match status {
        "past_due" | "unpaid" | "incomplete" => {
            "The user has a subscription that is not paid. Pay it in the customer portal \
             (POST /api/stripe/create-portal-session), or cancel it with PATCH /api/subscription."
        }
        "paused" => "The user has a paused subscription. Resume it with PATCH /api/subscription.",
        _ => "The user already has a subscription. Change it with PATCH /api/subscription.",
    }
}

/// Prints all details, for operators.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Refusal {}
