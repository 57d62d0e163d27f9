//! One file per command. The code that they share with the tests is in the library.

#![expect(clippy::print_stdout, reason = "a command prints its result to standard output")]

pub mod cache;
pub mod catalog;
pub mod clock;
pub mod dev;
pub mod doctor;
pub mod env;
pub mod import;
pub mod key;
pub mod ledger;
pub mod migrate;
pub mod reconcile;
pub mod render;
pub mod serve;
pub mod settings;
pub mod simulator;
pub mod token;
pub mod trigger;
pub mod webhooks;
