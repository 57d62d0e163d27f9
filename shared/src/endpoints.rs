//! The endpoint table: every route with its path, methods, access and rate limit.
//!
//! A new route needs one row here, one file in `endpoints/`, and its SQL or script. `farebox
//! render` then writes its two mains, `vercel.json`, `template.yaml` and `docs/openapi.json`.

pub mod account;
pub mod admin;
pub mod chat;
pub mod check;
pub mod credits;
pub mod cron;
pub mod dashboard;
pub mod entitlements;
pub mod feedback;
pub mod health;
pub mod history;
pub mod invoices;
pub mod mood;
pub mod plan;
pub mod plans;
pub mod rate_limit;
pub mod session;
pub mod stripe;
pub mod subscription;
pub mod usage;

use crate::domain::Rate;
use crate::http::Access::{Admin, Cron, Public, Service, Stripe, User};
use crate::http::Method::{Delete, Get, Patch, Post};
use crate::http::{Endpoint, Schedule};

pub static ACCOUNT: Endpoint =
    Endpoint::new("account", "/api/account", &[Get, Delete], User, account::routes)
        .personal()
        .limited(Rate::per_minute(60));

pub static ADMIN_LEDGER: Endpoint =
    Endpoint::new("admin-ledger", "/api/admin/ledger", &[Get], Admin, admin::ledger::routes)
        .limited(Rate::per_minute(60));

pub static ADMIN_WEBHOOKS: Endpoint = Endpoint::new(
    "admin-webhooks",
    "/api/admin/webhooks",
    &[Get, Post],
    Admin,
    admin::webhooks::routes,
)
.limited(Rate::per_minute(60));

pub static CHAT_SAVE: Endpoint =
    Endpoint::new("chat-save", "/api/chat/save", &[Post], User, chat::save::routes)
        .personal()
        .limited(Rate::per_minute(600))
        .stores(chat::save::stored_bytes)
        .body_limit(256 * 1024);

pub static CHECK: Endpoint = Endpoint::new("check", "/api/check", &[Post], User, check::routes)
    .limited(Rate::per_minute(1_200))
    .reads();

pub static CREDITS: Endpoint =
    Endpoint::new("credits", "/api/credits", &[Get, Post], User, credits::routes)
        .limited(Rate::per_minute(600))
        .stores(credits::stored_bytes);

pub static CRON_DAILY: Endpoint =
    Endpoint::new("cron-daily", "/api/cron/daily", &[Get], Cron, cron::daily::routes)
        .scheduled(Schedule::Daily { hour: 3, minute: 15 })
        .max_seconds(60);

pub static CRON_MINUTE: Endpoint =
    Endpoint::new("cron-minute", "/api/cron/minute", &[Get], Cron, cron::minute::routes)
        .scheduled(Schedule::EveryMinute)
        .max_seconds(60);

pub static DASHBOARD: Endpoint =
    Endpoint::new("dashboard", "/api/dashboard", &[Get], User, dashboard::routes)
        .personal()
        .limited(Rate::per_minute(300))
        .reads();

pub static ENTITLEMENTS: Endpoint =
    Endpoint::new("entitlements", "/api/entitlements", &[Get], User, entitlements::routes)
        .limited(Rate::per_minute(1_200))
        .reads();

pub static FEEDBACK: Endpoint =
    Endpoint::new("feedback", "/api/feedback", &[Post], User, feedback::routes)
        .limited(Rate::per_minute(120))
        .stores(feedback::stored_bytes);

pub static HEALTH: Endpoint =
    Endpoint::new("health", "/api/health", &[Get], Public, health::routes);

pub static HEALTH_READY: Endpoint =
    Endpoint::new("health-ready", "/api/health/ready", &[Get], Public, health::ready::routes)
        .limited(Rate::per_minute(600))
        .reads();

pub static HISTORY: Endpoint =
    Endpoint::new("history", "/api/history", &[Get, Post, Delete], User, history::routes)
        .limited(Rate::per_minute(600))
        .stores(history::stored_bytes)
        .body_limit(256 * 1024);

pub static INVOICES: Endpoint =
    Endpoint::new("invoices", "/api/invoices", &[Get], User, invoices::routes)
        .limited(Rate::per_minute(60));

pub static MOOD: Endpoint = Endpoint::new("mood", "/api/mood", &[Patch], User, mood::routes)
    .personal()
    .limited(Rate::per_minute(120));

pub static PLAN: Endpoint = Endpoint::new("plan", "/api/plan", &[Patch], Service, plan::routes)
    .limited(Rate::per_minute(600));

pub static PLANS: Endpoint = Endpoint::new("plans", "/api/plans", &[Get], Public, plans::routes)
    .limited(Rate::per_minute(600))
    .reads();

pub static RATE_LIMIT: Endpoint =
    Endpoint::new("rate-limit", "/api/rate-limit", &[Post], Service, rate_limit::routes);

pub static SESSION: Endpoint =
    Endpoint::new("session", "/api/session", &[Post, Delete], User, session::routes)
        .personal()
        .limited(Rate::per_minute(300))
        .stores(session::stored_bytes);

pub static STRIPE_CHECKOUT_SESSION: Endpoint = Endpoint::new(
    "stripe-checkout-session",
    "/api/stripe/checkout-session",
    &[Get],
    User,
    stripe::checkout_session::routes,
)
.limited(Rate::per_minute(60));

pub static STRIPE_CREATE_CHECKOUT_SESSION: Endpoint = Endpoint::new(
    "stripe-create-checkout-session",
    "/api/stripe/create-checkout-session",
    &[Post],
    User,
    stripe::create_checkout_session::routes,
)
.buys()
.limited(Rate::per_minute(20));

pub static STRIPE_CREATE_PORTAL_SESSION: Endpoint = Endpoint::new(
    "stripe-create-portal-session",
    "/api/stripe/create-portal-session",
    &[Post],
    User,
    stripe::create_portal_session::routes,
)
.buys()
.limited(Rate::per_minute(20));

pub static STRIPE_WEBHOOK: Endpoint = Endpoint::new(
    "stripe-webhook",
    "/api/stripe/webhook",
    &[Post],
    Stripe,
    stripe::webhook::routes,
)
.body_limit(1024 * 1024);

pub static SUBSCRIPTION: Endpoint =
    Endpoint::new("subscription", "/api/subscription", &[Get, Patch], User, subscription::routes)
        .buys()
        .limited(Rate::per_minute(60));

pub static SUBSCRIPTION_PREVIEW: Endpoint = Endpoint::new(
    "subscription-preview",
    "/api/subscription/preview",
    &[Post],
    User,
    subscription::preview::routes,
)
.buys()
.limited(Rate::per_minute(20));

pub static USAGE: Endpoint =
    Endpoint::new("usage", "/api/usage", &[Get, Post], User, usage::routes)
        .limited(Rate::per_minute(1_200))
        .stores(usage::stored_bytes)
        .stores_for_members(usage::stored_bytes_for_members)
        .body_limit(128 * 1024);

/// The webhook's alternative path, which some apps have already registered at Stripe.
pub static WEBHOOKS_STRIPE: Endpoint = Endpoint::new(
    "webhooks-stripe",
    "/api/webhooks/stripe",
    &[Post],
    Stripe,
    stripe::webhook::routes,
)
.body_limit(1024 * 1024);

/// Every row, sorted by name.
pub const ALL: &[&Endpoint] = &[
    &ACCOUNT,
    &ADMIN_LEDGER,
    &ADMIN_WEBHOOKS,
    &CHAT_SAVE,
    &CHECK,
    &CREDITS,
    &CRON_DAILY,
    &CRON_MINUTE,
    &DASHBOARD,
    &ENTITLEMENTS,
    &FEEDBACK,
    &HEALTH,
    &HEALTH_READY,
    &HISTORY,
    &INVOICES,
    &MOOD,
    &PLAN,
    &PLANS,
    &RATE_LIMIT,
    &SESSION,
    &STRIPE_CHECKOUT_SESSION,
    &STRIPE_CREATE_CHECKOUT_SESSION,
    &STRIPE_CREATE_PORTAL_SESSION,
    &STRIPE_WEBHOOK,
    &SUBSCRIPTION,
    &SUBSCRIPTION_PREVIEW,
    &USAGE,
    &WEBHOOKS_STRIPE,
];
