//! Farebox on one machine: the local stack, the operator's tools, and what the tests stand on.

pub mod catalog;
pub mod import;
pub mod local;
pub mod migrate;
pub mod page;
pub mod render;
pub mod server;
