//! The simulator as an HTTP service: Stripe's API, the pages and the control API on one router.

use axum::Router;

use crate::simulator::Simulator;
use crate::{control, pages};

pub mod v1;

impl Simulator {
    /// Stripe's API below `/v1`, the pages below `/simulator`, and the control API below
    /// `/simulator/api`.
    pub fn router(&self) -> Router {
        Router::new()
            .merge(v1::router(self.clone()))
            .merge(control::router(self.clone()))
            .merge(pages::router(self.clone()))
    }
}
