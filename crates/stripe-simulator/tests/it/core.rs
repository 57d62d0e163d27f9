//! Tests of the API in general, the catalog, customers, webhooks and the clock.

mod api;
mod catalog;
mod shapes;
mod webhooks;
