//! Farebox's library: everything between an HTTP request and its response.
//!
//! A host (`api/` for Vercel, `functions/` for AWS Lambda, `cli/` for one machine) passes requests
//! to [`http::mount`]. This crate does not depend on the host. [`config::Config`] holds the URLs of
//! Postgres, Redis and the identity provider.
//!
//! Start with [`endpoints`], the table of every route and its policy, then read one handler in
//! `endpoints/` and [`http::guard`], the pipeline in front of all of them.

#![forbid(unsafe_code)]
#![warn(clippy::print_stderr)]

pub mod adapters;
pub mod app;
pub mod auth;
pub mod background;
pub mod billing;
pub mod clock;
pub mod companion;
pub mod config;
pub mod domain;
pub mod endpoints;
pub mod http;
pub mod log;
pub mod openapi;
