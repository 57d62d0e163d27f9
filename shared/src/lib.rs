//! Farebox: everything a function needs, from the bytes of a request to the bytes of its answer.
//!
//! A host (`api/` for Vercel, `functions/` for AWS Lambda, `cli/` for one machine) carries requests
//! to [`http::mount`]; nothing here knows which host it runs on. Postgres, Redis and the identity
//! provider are each one URL in [`config::Config`].
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
