//! The type of an endpoint, and the pipeline in front of it: [`Endpoint`], [`mount`], [`guard`].
//!
//! A handler is an ordinary axum handler. This module adds extractors for the owner that the request
//! is about ([`Owner`], [`User`]), the member who acts ([`Actor`]), the checked body ([`Input`]) and
//! the idempotency key ([`IdempotencyKey`](crate::domain::IdempotencyKey)). Work after the response
//! goes to [`BackgroundTasks`](crate::background::BackgroundTasks).

mod call_log;
mod cors;
mod endpoint;
pub mod guard;
mod idempotency_key;
mod input;
mod json;
pub mod problem;
mod query;
pub mod rate_limit_headers;
mod subject;

pub use call_log::CallDetails;
pub use endpoint::{Access, Endpoint, Method, Routes, Schedule, StoredBytes};
pub use guard::{mount, mount_all};
pub use input::Input;
pub use json::Json;
pub use query::{PageSize, Query, cursor};
pub use subject::{Actor, Owner, User};

use std::net::IpAddr;

/// The client's address, as the host knows it. It is never taken from a header that the client
/// could have set.
#[derive(Clone, Copy, Debug)]
pub struct ClientIp(pub IpAddr);

/// Marks a call of the platform's scheduler, which a host inserts if the platform itself has
/// authenticated the scheduler. Such a call needs no cron secret.
#[derive(Clone, Copy, Debug)]
pub struct InvokedByScheduler;
