//! The operations of the tag "Subscriptions".

use serde_json::{Value, json};

use super::operation::Operation;
use super::schemas::Schemas;
use crate::billing::preview_subscription::SubscriptionPreview;
use crate::domain::SubscriptionId;
use crate::domain::error::ErrorCode::{
    AccountErased, CancellationPending, ChangePlanned, DatabaseUnavailable, NoSubscription,
    NotInGoodStanding, NothingToResume, PausedByOperator, PaymentConfirmationRequired,
    PaymentFailed, PreviewNotFound, PreviewOutdated, RequestInProgress, StripeUnavailable,
    SubscriptionChanged, SubscriptionNotFound,
};
use crate::endpoints::{INVOICES, SUBSCRIPTION, SUBSCRIPTION_PREVIEW, invoices, subscription};
use crate::http::Method::{Get, Patch, Post};

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    vec![
        get_subscription(schemas),
        change_subscription(schemas),
        preview_subscription(schemas),
        list_invoices(schemas),
    ]
}

fn get_subscription(schemas: &mut Schemas) -> Operation {
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
    .codes(&[SubscriptionNotFound, AccountErased, DatabaseUnavailable])
}

fn change_subscription(schemas: &mut Schemas) -> Operation {
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
         unchanged. With `previewId`, the change is the one that the preview has shown, for the \
         price that it has shown, or nothing is charged. Only one change per user runs at a \
         time; another is refused with `request_in_progress`.",
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
        PreviewNotFound,
        PreviewOutdated,
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
    ])
}

fn preview_subscription(schemas: &mut Schemas) -> Operation {
    Operation::new(
        &SUBSCRIPTION_PREVIEW,
        Post,
        "previewSubscription",
        "Preview a change of a subscription",
        "Returns what a change of the plan, the interval or the number of seats costs now and at \
         the next renewal, when it takes effect, and which features and credits change. Stripe \
         computes the amounts, with prorations, discounts, taxes and the customer's balance. \
         Nothing is charged. To make the change for exactly this price, send the `previewId` to \
         `PATCH /api/subscription` before `expiresAt`, which is at most 15 minutes later. A \
         repeated request returns another preview. An impossible change is refused as by \
         `PATCH /api/subscription`.",
    )
    .request::<subscription::preview::PreviewSubscriptionRequest>(
        schemas,
        json!({ "tier": "team" }),
    )
    .response::<SubscriptionPreview>(
        schemas,
        "The price and the effects of the change.",
        preview_example(),
    )
    .codes(&[
        NoSubscription,
        NotInGoodStanding,
        CancellationPending,
        ChangePlanned,
        SubscriptionChanged,
        PaymentFailed,
        PaymentConfirmationRequired,
        AccountErased,
        DatabaseUnavailable,
        StripeUnavailable,
    ])
}

fn list_invoices(schemas: &mut Schemas) -> Operation {
    Operation::new(
        &INVOICES,
        Get,
        "listInvoices",
        "List invoices",
        "Returns the user's invoices, newest first, with links to Stripe's pages. Drafts are left \
         out. Of a customer that Farebox did not create, earlier invoices are fetched from Stripe \
         at the first request: the latest 300.",
    )
    .paged()
    .response::<invoices::InvoicesPage>(schemas, "A page of invoices.", invoices_example())
    .codes(&[AccountErased, DatabaseUnavailable, StripeUnavailable])
}

fn preview_example() -> Value {
    let (now, end) = ("2026-03-16T12:00:00Z", "2026-04-01T00:00:00Z");
    let line = |description: &str, amount: i64, is_proration: bool, from: &str, to: &str| {
        json!({
            "description": description, "quantity": 1, "amountMinor": amount, "discountMinor": 0,
            "taxMinor": 0, "periodStart": from, "periodEnd": to, "isProration": is_proration,
        })
    };
    let invoice = |lines: Value, total: i64, balance: i64| {
        json!({
            "currency": "usd", "lines": lines, "hasMoreLines": false, "subtotalMinor": total,
            "discountMinor": 0, "taxMinor": 0, "totalMinor": total, "balanceMinor": balance,
            "amountDueMinor": total + balance,
        })
    };
    let prorations = json!([
        line("Unused time on Pro after 16 Mar 2026", -450, true, now, end),
        line("Remaining time on Team after 16 Mar 2026", 1_450, true, now, end),
    ]);
    let renewal = line("1 × Team (at $29.00 / month)", 2_900, false, end, "2026-05-01T00:00:00Z");
    let offer = |limit: i64| json!({ "included": true, "limit": limit, "overage": "hard" });
    json!({
        "previewId": "0b6c2f3e-9c1d-4f5a-8b7e-1234567890ab", "expiresAt": "2026-03-16T12:15:00Z",
        "effect": "upgrade", "effectiveAt": now,
        "current": { "plan": "pro", "planName": "Pro", "interval": "monthly", "quantity": 1 },
        "next": { "plan": "team", "planName": "Team", "interval": "monthly", "quantity": 1 },
        "dueNow": invoice(prorations, 1_000, -300),
        "nextRenewalAt": end,
        "nextRenewal": invoice(json!([renewal]), 2_900, 0),
        "features": [
            { "feature": "exports", "name": "Exports", "before": offer(100), "after": offer(1_000) },
        ],
        "credits": [
            {
                "feature": "ai_credits", "name": "AI credits", "unit": "ai_credit", "before": 100,
                "after": 500,
            },
        ],
    })
}

fn invoices_example() -> Value {
    let page = "https://invoice.stripe.com/i/acct_1/live_abc";
    json!({
        "data": [{
            "id": "in_1Qa2Bc", "number": "A1B2C3-0002", "status": "paid", "currency": "usd",
            "totalMinor": 1_071, "taxMinor": 171, "amountDueMinor": 771, "amountPaidMinor": 771,
            "plan": "pro", "pack": null, "name": "Pro", "subscriptionId": "sub_1Qa2Bc",
            "periodStart": "2026-03-01T00:00:00Z", "periodEnd": "2026-04-01T00:00:00Z",
            "createdAt": "2026-03-01T00:00:05Z", "paidAt": "2026-03-01T01:00:12Z",
            "hostedUrl": page, "pdfUrl": format!("{page}/pdf"),
        }],
        "nextCursor": null,
    })
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
