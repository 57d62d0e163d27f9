//! The words that SQL and Stripe use in answers, for the OpenAPI document.
//!
//! Postgres checks these words with its own constraints, and handlers pass them on as text, so that a
//! process answers even when the database is a version ahead of it. The types here only describe them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// Where a plan comes from: `stripe` is a subscription, `grant` a comp given by an operator, `default` the
/// plan of users who pay nothing.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum PlanSource {
    Stripe,
    Grant,
    Default,
}

/// What a ledger entry records: `purchase` a credit pack, `plan` the credits of a billing period, `grant`
/// credits given by an operator, `spend` a spending, `refund` and `dispute` a clawback or its reversal,
/// `expiry` credits that expired, `adjust` a correction, `opening` a balance brought from another system.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum LedgerEntryKind {
    Purchase,
    Plan,
    Grant,
    Spend,
    Refund,
    Dispute,
    Expiry,
    Adjust,
    Opening,
}

/// Where granted credits come from.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum CreditGrantSource {
    Purchase,
    Plan,
    Grant,
    Adjust,
    Opening,
}

/// How a failed webhook was settled: `applied` by a retry or by a later event, `operator` set aside by hand,
/// `erased` together with its user.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum WebhookResolution {
    Applied,
    Operator,
    Erased,
}

/// Declares a type for words that Stripe chooses: the known ones are listed, and others may come.
macro_rules! stripe_words {
    ($name:ident, $description:literal, $words:tt) => {
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "description": concat!($description, " Stripe may add words."),
                    "anyOf": [{ "type": "string", "enum": $words }, { "type": "string" }],
                })
            }
        }
    };
}

stripe_words!(
    SubscriptionStatus,
    "The status of a subscription, in Stripe's words; `none` for a user without a subscription.",
    [
        "active",
        "trialing",
        "past_due",
        "canceled",
        "unpaid",
        "paused",
        "incomplete",
        "incomplete_expired",
        "none"
    ]
);

stripe_words!(
    CheckoutMode,
    "What a Checkout session sells: `subscription` a plan, `payment` a credit pack.",
    ["subscription", "payment"]
);

stripe_words!(
    CheckoutStatus,
    "The status of a Checkout session, in Stripe's words.",
    ["open", "complete", "expired"]
);

stripe_words!(
    PaymentStatus,
    "Whether a Checkout session is paid: `unpaid` waits for a delayed payment method, \
     `no_payment_required` is a trial.",
    ["paid", "unpaid", "no_payment_required"]
);
