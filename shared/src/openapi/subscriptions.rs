//! The operations of the tag "Subscriptions".

use serde_json::{Value, json};

use super::operation::Operation;
use super::schemas::Schemas;
use crate::domain::SubscriptionId;
use crate::domain::error::ErrorCode::{
    AccountErased, CancellationPending, ChangePlanned, DatabaseUnavailable, NoSubscription,
    NotInGoodStanding, NothingToResume, PausedByOperator, PaymentConfirmationRequired,
    PaymentFailed, RequestInProgress, StripeUnavailable, SubscriptionChanged, SubscriptionNotFound,
};
use crate::endpoints::{SUBSCRIPTION, subscription};
use crate::http::Method::{Get, Patch};

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    vec![
        Operation::new(
            &SUBSCRIPTION,
            Get,
            "getSubscription",
            "Get a subscription",
            "Returns the user's plan and the subscription behind it, for a billing page. With \
             `subscriptionId`, returns that subscription: a service key needs no `userId` then, and \
             users may name only their own subscriptions.",
        )
        .query(
            "subscriptionId",
            schemas.request::<SubscriptionId>(),
            "The subscription's id at Stripe.",
        )
        .response::<subscription::SubscriptionResponse>(
            schemas,
            "The plan and the subscription.",
            example(false),
        )
        .codes(&[SubscriptionNotFound, AccountErased, DatabaseUnavailable]),
        Operation::new(
            &SUBSCRIPTION,
            Patch,
            "changeSubscription",
            "Change, cancel or resume a subscription",
            "`change` moves the subscription to another plan, interval or number of seats. An \
             upgrade is charged and takes effect now; a downgrade takes effect when the period \
             ends. `cancel` ends the subscription when the period ends, or now. `resume` undoes a \
             cancellation or a scheduled change, or ends a pause. If the payment for an upgrade \
             fails, the plan does not change, and the problem's `paymentUrl` is the page where the \
             customer can pay. If the change is already in effect, the subscription is returned \
             unchanged. Only one change per user runs at a time; another is refused with \
             `request_in_progress`.",
        )
        .request::<subscription::ChangeSubscriptionRequest>(
            schemas,
            json!({ "action": "cancel", "when": "period_end", "reason": "Too expensive" }),
        )
        .response::<subscription::SubscriptionResponse>(
            schemas,
            "The plan and the subscription after the change.",
            example(true),
        )
        .idempotent("For a day")
        .codes(&[
            NoSubscription,
            NothingToResume,
            PausedByOperator,
            NotInGoodStanding,
            CancellationPending,
            ChangePlanned,
            SubscriptionChanged,
            RequestInProgress,
            PaymentFailed,
            PaymentConfirmationRequired,
            AccountErased,
            DatabaseUnavailable,
            StripeUnavailable,
        ]),
    ]
}

fn example(is_canceled: bool) -> Value {
    let end = "2026-04-01T00:00:00Z";
    let canceled = |value: &str| if is_canceled { json!(value) } else { Value::Null };
    json!({
        "userId": "user_1", "plan": "pro", "planName": "Pro", "source": "stripe", "granted": null,
        "status": "active",
        "subscription": {
            "id": "sub_1Qa2Bc", "plan": "pro", "planName": "Pro", "planVersion": 2, "interval": "monthly",
            "quantity": 1, "currency": "usd", "amountMinor": 900, "trialEnd": null,
            "currentPeriodStart": "2026-03-01T00:00:00Z", "currentPeriodEnd": end,
            "cancelAtPeriodEnd": is_canceled, "cancelAt": canceled(end),
            "canceledAt": canceled("2026-03-10T08:00:00Z"), "endedAt": null,
            "cancellationReason": canceled("Too expensive"),
            "scheduledChange": null, "pendingChange": null, "createdAt": "2026-01-01T00:00:00Z",
        },
    })
}
