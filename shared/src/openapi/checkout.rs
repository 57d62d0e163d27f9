//! The operations of the tag "Checkout".

use serde_json::json;

use super::operation::Operation;
use super::schemas::Schemas;
use crate::domain::Email;
use crate::domain::error::ErrorCode::{
    AccountErased, AlreadySubscribed, DatabaseUnavailable, NoCustomer, RequestInProgress,
    SessionNotFound, StripeUnavailable, TrialAlreadyUsed,
};
use crate::endpoints::{
    STRIPE_CHECKOUT_SESSION, STRIPE_CREATE_CHECKOUT_SESSION, STRIPE_CREATE_PORTAL_SESSION, stripe,
};
use crate::http::Method::{Get, Post};

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    vec![get(schemas), create(schemas), portal(schemas)]
}

fn get(schemas: &mut Schemas) -> Operation {
    Operation::new(
        &STRIPE_CHECKOUT_SESSION,
        Get,
        "getCheckoutSession",
        "Get a Checkout session",
        "Returns the state of a Checkout session, for the page that a customer returns to. A \
         session that Stripe reports as paid is applied at once, without waiting for the \
         webhook. For another user's session, the response is the same as for a session that does \
         not exist.",
    )
    .required_query(
        "sessionId",
        json!({ "type": "string", "maxLength": 255, "pattern": "^cs_[A-Za-z0-9_]*$" }),
        "The `sessionId` that `createCheckoutSession` returned.",
    )
    .response::<stripe::checkout_session::CheckoutSession>(
        schemas,
        "The session.",
        json!({
            "sessionId": "cs_test_a1B2c3", "mode": "subscription", "status": "complete",
            "paymentStatus": "paid", "plan": "pro", "interval": "monthly", "pack": null, "quantity": 1,
            "currency": "usd", "amountMinor": 900, "subscriptionStatus": "active",
        }),
    )
    .codes(&[SessionNotFound, DatabaseUnavailable, StripeUnavailable])
}

fn create(schemas: &mut Schemas) -> Operation {
    Operation::new(
        &STRIPE_CREATE_CHECKOUT_SESSION,
        Post,
        "createCheckoutSession",
        "Create a Checkout session",
        "Creates a Stripe Checkout page where the user buys a plan (`tier` and `interval`) or a \
         credit pack (`pack`). The catalog decides the price. A user has at most one open \
         subscription checkout: before creating another, Farebox expires it, or applies it if \
         it was paid. If the user already has a subscription, buying a plan is refused with \
         `already_subscribed`; change the subscription with `PATCH /api/subscription`.",
    )
    .header(
        "x-user-email",
        schemas.request::<Email>(),
        "The customer's e-mail address, in place of the field `email` in the body.",
    )
    .request::<stripe::create_checkout_session::CheckoutRequest>(
        schemas,
        json!({
            "tier": "pro", "interval": "monthly", "email": "ann@example.com",
            "successUrl": "https://app.example.com/success?session={CHECKOUT_SESSION_ID}",
            "cancelUrl": "https://app.example.com/pricing",
        }),
    )
    .response::<stripe::create_checkout_session::CheckoutResponse>(
        schemas,
        "The session. Redirect the customer to `url`.",
        json!({
            "sessionId": "cs_test_a1B2c3", "url": "https://checkout.stripe.com/c/pay/cs_test_a1B2c3",
        }),
    )
    .idempotent("For a day")
    .codes(&[
        AlreadySubscribed,
        TrialAlreadyUsed,
        RequestInProgress,
        AccountErased,
        DatabaseUnavailable,
        StripeUnavailable,
    ])
}

fn portal(schemas: &mut Schemas) -> Operation {
    Operation::new(
        &STRIPE_CREATE_PORTAL_SESSION,
        Post,
        "createPortalSession",
        "Create a customer portal session",
        "Creates a page of Stripe's customer portal, where the user changes their card, sees \
         their invoices and cancels. A user who never started a checkout has no customer at \
         Stripe; the request is refused with `no_customer`.",
    )
    .request::<stripe::create_portal_session::PortalRequest>(
        schemas,
        json!({ "returnUrl": "https://app.example.com/billing" }),
    )
    .response::<stripe::create_portal_session::PortalResponse>(
        schemas,
        "The portal session. Redirect the customer to `url`.",
        json!({ "url": "https://billing.stripe.com/p/session/test_a1B2c3" }),
    )
    .idempotent("For a day")
    .codes(&[
        NoCustomer,
        RequestInProgress,
        AccountErased,
        DatabaseUnavailable,
        StripeUnavailable,
    ])
}
