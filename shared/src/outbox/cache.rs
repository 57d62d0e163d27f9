//! The plan as the cache shows it, where showing it at once did not succeed.

use super::Outcome;
use crate::app::App;
use crate::domain::UserId;
use crate::error::ApiError;
use crate::stats;
use crate::store::Entitlement;

pub(super) async fn repair(app: &App, entitlement: Option<&Entitlement>) -> Outcome {
    let Some(entitlement) = entitlement else { return Outcome::Nobody("no entitlement") };
    let Ok(user) = UserId::try_from(entitlement.user_id.clone()) else {
        return Outcome::Nobody("unknown user");
    };
    let Entitlement { plan_name, version, .. } = entitlement;
    match stats::set_plan(&app.redis, &user, app.clock.now(), plan_name, *version).await {
        Ok(_) => Outcome::Heard,
        Err(error) if error.code == ApiError::ACCOUNT_ERASED => Outcome::Nobody("unknown user"),
        Err(error) => Outcome::failed(error.code),
    }
}
