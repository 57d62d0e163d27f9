//! The error codes of each operation, and their meanings.

use std::collections::BTreeMap;

use super::operation::Operation;
use crate::domain::Permission;
use crate::domain::error::ErrorCode;
use crate::http::{Access, Method, problem};

/// The error codes of an operation, grouped by status, in alphabetical order.
pub(super) fn by_status(operation: &Operation) -> BTreeMap<u16, Vec<ErrorCode>> {
    let mut codes = from_endpoint(operation);
    codes.extend(&operation.codes);
    codes.sort_by_key(ErrorCode::to_string);
    codes.dedup();
    let mut statuses: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in codes {
        statuses.entry(problem::status(code).as_u16()).or_default().push(code);
    }
    statuses
}

/// The error codes of the guard and the extractors, which follow from the endpoint's row and the
/// operation's parameters.
fn from_endpoint(operation: &Operation) -> Vec<ErrorCode> {
    use ErrorCode::*;
    let endpoint = operation.endpoint;
    let mut codes = vec![BodyTooLarge, Internal];
    codes.extend_from_slice(match endpoint.access {
        Access::Public | Access::Stripe => &[],
        Access::Cron => &[MissingToken, InvalidToken],
        Access::User | Access::Service | Access::Admin => {
            &[MissingToken, InvalidToken, ExpiredToken, AuthKeysUnavailable]
        }
    });
    match endpoint.access {
        Access::User => {
            codes.push(OtherUser);
            if operation.permission().is_some_and(|needed| needed > Permission::Read) {
                codes.push(InsufficientRole);
            }
        }
        Access::Service => codes.push(ServiceOnly),
        Access::Admin => codes.push(AdminOnly),
        Access::Public | Access::Cron | Access::Stripe => {}
    }
    if operation.request.is_some() {
        codes.extend([BrokenBody, SlowBody]);
        if endpoint.access != Access::Stripe {
            codes.extend([InvalidInput, MalformedJson, MissingBody, UnsupportedMediaType]);
        }
    }
    if !operation.parameters.is_empty() && endpoint.access != Access::Stripe {
        codes.push(InvalidInput);
    }
    if endpoint.rate.is_some() {
        codes.push(RateLimited);
    }
    if endpoint.stores.is_some() && operation.method != Method::Get {
        codes.push(StorageRateLimited);
    }
    codes
}

/// Lists codes with their meanings, in Markdown.
pub(super) fn describe(codes: &[ErrorCode]) -> String {
    let lines: Vec<String> =
        codes.iter().map(|code| format!("- `{code}`: {}", meaning(*code))).collect();
    lines.join("\n")
}

/// The public description of a code.
pub(super) fn meaning(code: ErrorCode) -> &'static str {
    use ErrorCode::*;
    match code {
        AccountErased => "The user's account has been deleted.",
        AdminOnly => "Only an admin may call this.",
        AlreadySubscribed => "The user already has a subscription. Change it instead.",
        AuthKeysUnavailable => "The identity provider's keys could not be fetched. Try again.",
        BodyTooLarge => "The body is larger than this route accepts.",
        BrokenBody => "The body ended before it was complete. Send the request again.",
        CancellationPending => "The subscription is going to end. Undo that with `resume` first.",
        ChangePlanned => "A change is scheduled for the period's end. Undo it with `resume` first.",
        DatabaseUnavailable => "Postgres did not answer. Try again, with the same Idempotency-Key.",
        ExpiredToken => "The token has expired. Send a new one.",
        ForeignHost => "The Host header names a host that this server does not serve.",
        HistoryEntryNotFound => "The history has no such entry, or the plan no longer keeps it.",
        IdempotencyKeyReused => "The Idempotency-Key belongs to another request. Use a new one.",
        InsufficientCredits => "The balance is smaller than the amount to spend.",
        InsufficientRole => "The user's role in the organisation does not permit this.",
        Internal => "An unexpected error in Farebox. Find its cause in the log by `requestId`.",
        InvalidHost => "The Host header is missing or malformed.",
        InvalidInput => "A field, parameter or header is missing or invalid; see `errors`.",
        InvalidSignature => {
            "The Stripe-Signature header is missing or too old, or does not match the body."
        }
        InvalidToken => "Farebox does not accept the bearer token.",
        InvalidTransferEncoding => "The Transfer-Encoding header is not supported.",
        MalformedEvent => "The body is not a Stripe event.",
        MalformedJson => "The body is not a JSON object.",
        MethodNotAllowed => "This path does not support the method. See the Allow header.",
        MissingBody => "This route requires a JSON body.",
        MissingToken => "The request needs exactly one Authorization header, with a bearer token.",
        NoCustomer => "The user has never started a checkout, so Stripe has no customer for them.",
        NoSubscription => "The user has no subscription to change.",
        NotFound => "There is nothing at this path.",
        NotInGoodStanding => "The subscription has an unpaid invoice, which must be paid first.",
        NothingIsSold => "No catalog is published yet.",
        NothingToResume => "The subscription is not paused, canceled or about to change.",
        OtherUser => "A user's token may act only for its user and its organisation.",
        PausedByOperator => "The app's operator has paused the subscription, and must resume it.",
        PayloadForgotten => "The payload was deleted after 30 days. Resolve the event instead.",
        PaymentConfirmationRequired => {
            "The customer's bank requires them to confirm the payment, at `paymentUrl`. The change \
             takes effect after that."
        }
        PaymentFailed => "The payment failed. The customer can pay at `paymentUrl`, if present.",
        PreviewNotFound => "The user has no such preview. Preview the change again.",
        PreviewOutdated => {
            "The preview has expired, was confirmed before, or no longer holds. Nothing was charged. \
             Preview the change again."
        }
        QuotaExceeded => "The usage would exceed the plan's hard limit. Nothing was counted.",
        RateLimited => "Too many requests. Try again after the time in the Retry-After header.",
        RedisUnavailable => "Redis did not answer. Try again, with the same Idempotency-Key.",
        RequestInProgress => "Another request for this user is in progress at Stripe. Try again.",
        ServiceOnly => "Only a service key or an admin may do this.",
        SessionNotFound => "The user has no such Checkout session.",
        SlowBody => "The body took too long to arrive.",
        StorageRateLimited => {
            "The caller's requests stored too much data. Try again after the time in Retry-After."
        }
        StripeUnavailable => "Stripe did not answer. Try again, with the same Idempotency-Key.",
        SubscriptionChanged => "The subscription has changed at Stripe. Get it again and retry.",
        SubscriptionNotFound => "There is no such subscription, or it belongs to another user.",
        TrialAlreadyUsed => {
            "The user had a trial since this Idempotency-Key was first used. Use a new key."
        }
        UnsupportedMediaType => "The body must have the header Content-Type: application/json.",
        WebhookNotFound => "No failed webhook has this id.",
        WebhookResolved => "The failed webhook was already applied or resolved.",
    }
}
