//! The library of the `farebox` command: the local stack and the operator's tools. The integration
//! tests use it too.

pub mod catalog;
pub mod dev;
pub mod import;
pub mod jobs;
pub mod migrate;
pub mod render;
pub mod server;
pub mod smoke;
pub mod terminal;
