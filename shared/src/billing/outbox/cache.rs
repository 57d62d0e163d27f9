//! What a user has as the cache shows it, where showing it at once did not succeed.

use super::Outcome;
use crate::app::App;
use crate::billing::entitlements;
use crate::domain::{Entitlement, UserId};

pub(super) async fn repair(app: &App, entitlement: Option<&Entitlement>) -> Outcome {
    let Some(entitlement) = entitlement else { return Outcome::Nobody("no entitlement") };
    let Ok(user) = UserId::try_from(entitlement.user_id.clone()) else {
        return Outcome::Nobody("unknown user");
    };
    match entitlements::show(&app.redis, &user, app.clock.now(), entitlement, None).await {
        Ok(_) => Outcome::Heard,
        Err(error) => Outcome::failed(error.to_string()),
    }
}
