//! The JSON of a refusal, as a struct of optional fields. Every function that calls Postgres links
//! this code, which is a tenth of the code that serde derives for a tagged enum.

use serde::Deserialize;
use serde_json::Value;

use super::{InvalidReason, Refusal};

#[derive(Deserialize)]
pub(super) struct Message {
    code: Code,
    reason: Option<Reason>,
    status: Option<String>,
    unit: Option<String>,
    balance: Option<i64>,
    needed: Option<i64>,
    max_quantity: Option<u32>,
    feature: Option<String>,
    results: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Code {
    AccountErased,
    AlreadySubscribed,
    CancellationPending,
    ChangePlanned,
    HistoryEntryNotFound,
    IdempotencyKeyReused,
    InsufficientCredits,
    InvalidInput,
    NoCustomer,
    NoSubscription,
    NotInGoodStanding,
    NothingToResume,
    PayloadForgotten,
    PreviewNotFound,
    PreviewOutdated,
    QuotaExceeded,
    RequestInProgress,
    TrialAlreadyUsed,
    WebhookNotFound,
    WebhookResolved,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    AboveMaxQuantity,
    AmountTooLarge,
    BalanceTooLarge,
    CountTooLarge,
    NoSeats,
    NotMetered,
    OpeningBalanceTaken,
    TooManyCredits,
    UnknownCurrency,
    UnknownCursor,
    UnknownFeature,
    UnknownInterval,
    UnknownPack,
    UnknownPlan,
    UnknownUnit,
}

impl TryFrom<Message> for Refusal {
    type Error = &'static str;

    fn try_from(message: Message) -> Result<Self, Self::Error> {
        const MISSING: &str = "a field of the refusal is missing";
        let Message { status, unit, balance, needed, results, .. } = message;
        Ok(match message.code {
            Code::AccountErased => Self::AccountErased,
            Code::AlreadySubscribed => Self::AlreadySubscribed { status: status.ok_or(MISSING)? },
            Code::CancellationPending => Self::CancellationPending,
            Code::ChangePlanned => Self::ChangePlanned,
            Code::HistoryEntryNotFound => Self::HistoryEntryNotFound,
            Code::IdempotencyKeyReused => Self::IdempotencyKeyReused,
            Code::InsufficientCredits => Self::InsufficientCredits {
                unit: unit.ok_or(MISSING)?,
                balance: balance.ok_or(MISSING)?,
                needed: needed.ok_or(MISSING)?,
            },
            Code::InvalidInput => {
                let reason = message.reason.ok_or(MISSING)?;
                let details = (message.max_quantity, message.feature);
                Self::InvalidInput(reason.with(details).ok_or(MISSING)?)
            }
            Code::NoCustomer => Self::NoCustomer,
            Code::NoSubscription => Self::NoSubscription,
            Code::NotInGoodStanding => Self::NotInGoodStanding { status: status.ok_or(MISSING)? },
            Code::NothingToResume => Self::NothingToResume,
            Code::PayloadForgotten => Self::PayloadForgotten,
            Code::PreviewNotFound => Self::PreviewNotFound,
            Code::PreviewOutdated => Self::PreviewOutdated,
            Code::QuotaExceeded => Self::QuotaExceeded { results: results.ok_or(MISSING)? },
            Code::RequestInProgress => Self::RequestInProgress,
            Code::TrialAlreadyUsed => Self::TrialAlreadyUsed,
            Code::WebhookNotFound => Self::WebhookNotFound,
            Code::WebhookResolved => Self::WebhookResolved,
        })
    }
}

impl Reason {
    fn with(self, (max_quantity, feature): (Option<u32>, Option<String>)) -> Option<InvalidReason> {
        Some(match self {
            Self::AboveMaxQuantity => {
                InvalidReason::AboveMaxQuantity { max_quantity: max_quantity? }
            }
            Self::AmountTooLarge => InvalidReason::AmountTooLarge,
            Self::BalanceTooLarge => InvalidReason::BalanceTooLarge,
            Self::CountTooLarge => InvalidReason::CountTooLarge { feature: feature? },
            Self::NoSeats => InvalidReason::NoSeats,
            Self::NotMetered => InvalidReason::NotMetered { feature: feature? },
            Self::OpeningBalanceTaken => InvalidReason::OpeningBalanceTaken,
            Self::TooManyCredits => InvalidReason::TooManyCredits,
            Self::UnknownCurrency => InvalidReason::UnknownCurrency,
            Self::UnknownCursor => InvalidReason::UnknownCursor,
            Self::UnknownFeature => InvalidReason::UnknownFeature { feature: feature? },
            Self::UnknownInterval => InvalidReason::UnknownInterval,
            Self::UnknownPack => InvalidReason::UnknownPack,
            Self::UnknownPlan => InvalidReason::UnknownPlan,
            Self::UnknownUnit => InvalidReason::UnknownUnit,
        })
    }
}
