//! The enumerations of SQL and Stripe in responses, for the OpenAPI document.
//!
//! Postgres checks these values with constraints, and handlers pass them on as text, so that a
//! process still works when the database is a version ahead. The types here only describe them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// The source of a plan: `stripe` is a subscription, `grant` a comp given by an operator, `default`
/// the plan of users who pay nothing.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum PlanSource {
    Stripe,
    Grant,
    Default,
}

/// The kind of a ledger entry: `purchase` is a credit pack, `plan` the credits of a billing period,
/// `grant` credits given by an operator, `spend` credits that were spent, `refund` and `dispute` a
/// clawback or its reversal, `expiry` credits that expired, `adjust` a correction, and `opening` a
/// balance from another system.
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

/// The source of a credit grant.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum CreditGrantSource {
    Purchase,
    Plan,
    Grant,
    Adjust,
    Opening,
}

/// How a failed webhook was resolved: `applied` by a retry or a later event, `operator` by hand,
/// `erased` together with its user.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum WebhookResolution {
    Applied,
    Operator,
    Erased,
}

/// Declares a type for values that Stripe defines. It lists the known ones; Stripe may add others.
macro_rules! stripe_enum {
    ($name:ident, $description:literal, $words:tt) => {
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "description": concat!($description, " Stripe may add values."),
                    "anyOf": [{ "type": "string", "enum": $words }, { "type": "string" }],
                })
            }
        }
    };
}

stripe_enum!(
    SubscriptionStatus,
    "The status of a subscription, as at Stripe; `none` for a user without a subscription.",
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

stripe_enum!(
    CheckoutMode,
    "The mode of a Checkout session: `subscription` sells a plan, `payment` a credit pack.",
    ["subscription", "payment"]
);

stripe_enum!(
    InvoiceStatus,
    "The status of an invoice: `open` waits for its payment, `uncollectible` and `void` were given up.",
    ["open", "paid", "uncollectible", "void"]
);

stripe_enum!(CheckoutStatus, "The status of a Checkout session.", ["open", "complete", "expired"]);

stripe_enum!(
    PaymentStatus,
    "The payment status of a Checkout session: `unpaid` waits for a delayed payment method, \
     `no_payment_required` is a trial.",
    ["paid", "unpaid", "no_payment_required"]
);
