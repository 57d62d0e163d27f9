//! One file per command. The code that they share with the tests is in the library.

pub mod app_webhooks;
pub mod cache;
pub mod catalog;
pub mod clock;
pub mod completions;
pub mod dev;
pub mod doctor;
pub mod env;
pub mod health;
pub mod import;
pub mod key;
pub mod ledger;
pub mod logs;
pub mod migrate;
pub mod open;
pub mod reconcile;
pub mod redis_front;
pub mod render;
pub mod serve;
pub mod settings;
pub mod simulator;
pub mod smoke;
pub mod status;
pub mod token;
pub mod trigger;
pub mod webhooks;
