//! Farebox on one machine: the local stack and the operator's tools. The integration tests use it too.

pub mod catalog;
pub mod import;
pub mod local;
pub mod migrate;
pub mod page;
pub mod render;
pub mod server;
