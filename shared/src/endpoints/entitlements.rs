//! `GET /api/entitlements`: a user's plan, features, usage and credit balances (DM-3).
//!
//! Answered from Redis if the cached value is fresh, otherwise from Postgres. Both give the same
//! answer.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::routing::{MethodRouter, get};

use crate::app::App;
use crate::billing::entitlement_cache::{EntitlementCache, Source};
use crate::domain::Entitlements;
use crate::domain::error::{Error, ErrorCode, Result};
use crate::http::{Json, Owner};

pub fn routes() -> MethodRouter<Arc<App>> {
    get(get_entitlements)
}

async fn get_entitlements(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
) -> Result<(Extension<Source>, Json<Entitlements>)> {
    let (found, source) = EntitlementCache::of(&app).read(&owner).await?;
    let found = found
        .ok_or_else(|| Error::new(ErrorCode::NothingIsSold, "No catalog is published yet."))?;
    Ok((Extension(source), Json(found.into())))
}
