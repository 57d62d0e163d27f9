//! The shape of an endpoint, and the pipeline in front of each: [`Endpoint`], [`mount`], [`guard`].
//!
//! A handler is an ordinary axum handler. What it needs to know of the request beyond axum's own
//! extractors is here: who it is about ([`User`]), its checked body ([`Input`]), its idempotency key
//! ([`IdempotencyKey`]), and a way to do work after the answer ([`BackgroundTasks`]).

mod cors;
mod endpoint;
pub mod guard;
mod idempotency_key;
mod input;
mod json;
pub mod problem;
mod query;
pub mod rate_limit_headers;
mod user;

pub use endpoint::{Access, Endpoint, Method, Routes, StoredBytes};
pub use guard::{mount, mount_all};
pub use input::Input;
pub use json::Json;
pub use query::{PageSize, Query, cursor};
pub use user::User;

use std::net::IpAddr;

/// The address a request came from, as the host that carried it knows it. Never taken from a header
/// that a caller could have written.
#[derive(Clone, Copy, Debug)]
pub struct ClientIp(pub IpAddr);
