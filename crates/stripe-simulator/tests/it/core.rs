//! The simulator's API in general, its catalog and customers, its webhooks and its clock.

mod api;
mod catalog;
mod shapes;
mod webhooks;
