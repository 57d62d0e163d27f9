//! Tests of Farebox from outside: over HTTP, against a real Postgres and a Redis behind its REST
//! front.
//!
//! One file per endpoint or topic. A test's comment names the row of docs/CONTRACT.md that it
//! proves.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod acceptance;
mod account;
mod api_log;
mod app_webhooks;
mod auth;
mod calendar;
mod callables;
mod catalog;
mod chat;
mod check;
mod checkout;
mod contract;
mod crash;
mod credits;
mod cron;
mod dead_letters;
mod deploy;
mod dev;
mod entitlements;
mod erasure;
mod guard;
mod health;
mod history;
mod hostile;
mod hosts;
mod hot_paths;
mod import;
mod invoices;
mod log;
mod mail;
mod migrations;
mod mood;
mod notices;
mod official_client;
mod organisations;
mod outbox;
mod packs;
mod plan;
mod postgres;
mod postgres_functions;
mod prisma;
mod rate_limit;
mod reader;
mod reconcile;
mod redis;
mod request_forms;
mod retention;
mod schema_rights;
mod server;
mod session;
mod smoke;
mod stories;
mod stripe_outage;
mod stripe_signatures;
mod subscription;
mod suggestions;
mod support;
mod usage;
mod webhook;
