//! Which problems an operation may answer, and what each code means.

use std::collections::BTreeMap;

use super::operation::Operation;
use crate::domain::error::ErrorCode;
use crate::http::{Access, Method, problem};

/// The codes of an operation by the status that they come with, in alphabetical order.
pub(super) fn by_status(operation: &Operation) -> BTreeMap<u16, Vec<ErrorCode>> {
    let mut codes = from_the_table(operation);
    codes.extend(&operation.codes);
    codes.sort_by_key(ErrorCode::to_string);
    codes.dedup();
    let mut statuses: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in codes {
        statuses.entry(problem::status(code).as_u16()).or_default().push(code);
    }
    statuses
}

/// What the guard and the extractors answer, by the endpoint's row and the operation's parameters.
fn from_the_table(operation: &Operation) -> Vec<ErrorCode> {
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
        Access::User => codes.push(OtherUser),
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

/// A list of codes and what they mean.
pub(super) fn describe(codes: &[ErrorCode]) -> String {
    let lines: Vec<String> =
        codes.iter().map(|code| format!("- `{code}`: {}", meaning(*code))).collect();
    lines.join("\n")
}

/// What a code tells the caller.
pub(super) fn meaning(code: ErrorCode) -> &'static str {
    use ErrorCode::*;
    match code {
        AccountErased => "The user's account has been deleted.",
        AdminOnly => "Only an admin may call this.",
        AlreadySubscribed => "The user has a subscription. Change it instead of buying another.",
        AuthKeysUnavailable => "The identity provider's keys could not be fetched. Try again.",
        BodyTooLarge => "The body is longer than this route accepts.",
        BrokenBody => "The body ended before it was complete.",
        CancellationPending => "The subscription is going to end. Resume it first.",
        ChangePlanned => {
            "A change is scheduled for the end of the period. Resume first to undo it."
        }
        DatabaseUnavailable => "Postgres did not answer. Try again, with the same Idempotency-Key.",
        ExpiredToken => "The token has expired. Send a new one.",
        ForeignHost => "The request was made for another host.",
        IdempotencyKeyReused => "The Idempotency-Key came with another request. Use a new one.",
        InsufficientCredits => "The balance is smaller than the amount to spend.",
        Internal => "Something went wrong in Farebox. `requestId` finds it in the log.",
        InvalidHost => "The Host header is missing or malformed.",
        InvalidInput => "A field, query parameter or header has a value that is not accepted.",
        InvalidSignature => "The Stripe-Signature header does not match the body, or is too old.",
        InvalidToken => "The bearer token is not one that Farebox trusts.",
        InvalidTransferEncoding => "The Transfer-Encoding header is not one that is understood.",
        MalformedEvent => "The body is not a Stripe event.",
        MalformedJson => "The body is not a JSON object.",
        MethodNotAllowed => "The path does not answer this method.",
        MissingBody => "This route takes a JSON body.",
        MissingToken => "Send one Authorization header with a bearer token.",
        NoCustomer => "The user has not bought anything yet, so there is no customer at Stripe.",
        NoSubscription => "The user has no subscription to change.",
        NotFound => "There is nothing at this path.",
        NotInGoodStanding => "The subscription has an unpaid invoice. It must be paid first.",
        NothingIsSold => "No catalog is published yet.",
        NothingToResume => "The subscription is neither paused, nor canceled, nor about to change.",
        OtherUser => "A user's token may only act for that user.",
        PayloadForgotten => "The event's payload was deleted after 30 days. Resolve it instead.",
        PaymentConfirmationRequired => {
            "The bank wants the customer to confirm the payment at `paymentUrl`. Nothing changes \
             until then."
        }
        PaymentFailed => {
            "The payment failed. The customer can pay at `paymentUrl`, if it is there."
        }
        QuotaExceeded => "The usage would exceed the plan's hard limit. Nothing was counted.",
        RateLimited => "Too many requests. Try again after the seconds in Retry-After.",
        RedisUnavailable => "Redis did not answer. Try again, with the same Idempotency-Key.",
        RequestInProgress => "Another request of this user to Stripe is in progress. Try again.",
        ServiceOnly => "Only a service key or an admin may do this.",
        SessionNotFound => "The user has no such Checkout session.",
        SlowBody => "The body took too long to arrive.",
        StorageRateLimited => {
            "The caller's requests store too much data a minute. Try again later."
        }
        StripeUnavailable => "Stripe did not answer. Try again, with the same Idempotency-Key.",
        SubscriptionChanged => "The subscription has changed at Stripe. Get it again.",
        SubscriptionNotFound => "There is no such subscription, or it belongs to another user.",
        TrialAlreadyUsed => {
            "The user has had a trial since the first request with this Idempotency-Key."
        }
        UnsupportedMediaType => "Send the body with Content-Type: application/json.",
        WebhookNotFound => "No event with this id has failed.",
        WebhookResolved => "This event was settled before.",
    }
}
