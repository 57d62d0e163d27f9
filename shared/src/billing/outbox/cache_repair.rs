//! Pushes an entitlement whose first push failed.

use super::Outcome;
use crate::app::App;
use crate::billing::entitlement_cache::EntitlementCache;
use crate::domain::{Entitlement, UserId};

pub(super) async fn repair(app: &App, entitlement: Option<&Entitlement>) -> Outcome {
    let Some(entitlement) = entitlement else { return Outcome::NoRecipient("no entitlement") };
    let Ok(user) = UserId::try_from(entitlement.user_id.clone()) else {
        return Outcome::NoRecipient("unknown user");
    };
    match EntitlementCache::of(app).push(&user, app.clock.now(), entitlement, None).await {
        Ok(_) => Outcome::Delivered,
        Err(error) => Outcome::failed(error.to_string()),
    }
}
