//! Farebox: everything a function needs, from the bytes of a request to the bytes of its answer.
//!
//! A host (`api/` for Vercel, `functions/` for AWS Lambda, `cli/` for one machine) carries requests
//! to [`http::mount`]; nothing here knows which host it runs on. Postgres, Redis and the identity
//! provider are each one URL in [`config::Config`].
//!
//! Start with [`endpoints`], the table of every route and its policy, then read one handler in
//! `endpoints/` and [`http::guard`], the pipeline in front of all of them.

pub mod alert;
pub mod app;
pub mod auth;
pub mod checkout;
pub mod clock;
pub mod config;
pub mod dead_letters;
pub mod domain;
pub mod endpoints;
pub mod entitlement_cache;
pub mod error;
pub mod event_source;
pub mod fulfilment;
pub mod hash;
pub mod http;
pub mod http_client;
pub mod ledger;
pub mod log;
pub mod openapi;
pub mod outbox;
pub mod rate_limit;
pub mod reconcile;
pub mod redis;
pub mod stats;
pub mod store;
pub mod stripe;
pub mod subscription_change;
mod tls;
pub mod warm_up;
