//! Each part of an entitlement has its own version: of two copies of a part, the newer one stays.

use std::sync::Arc;

use jiff::Timestamp;
use shared::app::App;
use shared::billing::entitlement_cache::{EntitlementCache, Source};
use shared::domain::entitlement::{CreditBalance, Versioned};
use shared::domain::{Entitlement, UserId};

use super::{HOUR, credits, set_plan, track_usage};
use crate::support::TestApp;

const SECOND: i64 = 1_000;

/// A user of the demo with terms, a count and a balance.
async fn known_user() -> (TestApp, Arc<App>, UserId) {
    let app = TestApp::selling("demo").await;
    set_plan(&app, "ann", "pro", None).await;
    track_usage(&app, "ann", "exports", 7).await;
    let grant = serde_json::json!({
        "action": "grant", "unit": "ai_credit", "amount": 5, "reason": "a test",
    });
    credits(&app, "ann", grant).await;
    let inside = app.inside();
    (app, inside, UserId::try_from("ann".to_owned()).unwrap())
}

async fn in_postgres(app: &App, user: &UserId) -> Entitlement {
    app.postgres.get_entitlements(user, app.clock.now()).await.unwrap().unwrap()
}

async fn fill(app: &App, user: &UserId, entitlement: &Entitlement) {
    EntitlementCache::of(app).fill(user, app.clock.now(), entitlement).await.unwrap();
}

/// The entitlement, if it is cached.
async fn in_cache(app: &App, user: &UserId) -> Option<Entitlement> {
    let (found, source) = EntitlementCache::of(app).read(user).await.unwrap();
    found.filter(|_| source == Source::Cache)
}

fn soon(now: Timestamp, seconds: i64) -> i64 {
    now.as_millisecond() + seconds * SECOND
}

/// A copy that is newer in one part and older in another replaces only the newer part.
#[tokio::test]
async fn a_copy_replaces_only_the_parts_in_which_it_is_newer() {
    let (_app, inside, ann) = known_user().await;
    let mut first = in_postgres(&inside, &ann).await;
    let newest = first.version() + 100;
    first.terms.version = newest;
    first.terms.value.plan_name = "New".to_owned();
    first.used.insert("exports".to_owned(), Versioned { version: newest, value: 8 });
    fill(&inside, &ann, &first).await;

    let mut second = first.clone();
    second.terms.version = newest - 1;
    second.terms.value.plan_name = "Old".to_owned();
    second.used.insert("exports".to_owned(), Versioned { version: newest - 1, value: 7 });
    let balance = CreditBalance { balance: 4, ..CreditBalance::default() };
    second.units.insert("ai_credit".to_owned(), Versioned { version: newest, value: balance });
    fill(&inside, &ann, &second).await;

    let seen = in_cache(&inside, &ann).await.unwrap();
    assert_eq!((seen.terms.value.plan_name.as_str(), seen.used_of("exports")), ("New", 8));
    assert_eq!(seen.units["ai_credit"].value.balance, 4);
    assert_eq!(seen.version(), newest);
}

/// The count of an ended period and the zero after it have the same version; the one that is fresh
/// for longer wins.
#[tokio::test]
async fn a_new_period_replaces_the_count_of_the_old_one() {
    let (app, inside, ann) = known_user().await;
    let mut before = in_postgres(&inside, &ann).await;
    let mut after = before.clone();
    let exports = before.used["exports"];
    before.fresh_until = soon(app.now(), 60);
    after.fresh_until = soon(app.now(), 120);
    after.used.insert("exports".to_owned(), Versioned { value: 0, ..exports });

    super::clear_cache(&app, "ann").await;
    fill(&inside, &ann, &after).await;
    fill(&inside, &ann, &before).await;
    assert_eq!(in_cache(&inside, &ann).await.unwrap().used_of("exports"), 0, "a slow reader");
    // In the other order.
    super::clear_cache(&app, "ann").await;
    fill(&inside, &ann, &before).await;
    assert_eq!(in_cache(&inside, &ann).await.unwrap().used_of("exports"), 7);
    fill(&inside, &ann, &after).await;
    assert_eq!(in_cache(&inside, &ann).await.unwrap().used_of("exports"), 0);
}

/// The count of a feature that was never used has version 0, and the first use replaces it.
#[tokio::test]
async fn a_first_use_replaces_a_count_without_a_version() {
    let (app, inside, ann) = known_user().await;
    let mut never = in_postgres(&inside, &ann).await;
    never.fresh_until = soon(app.now(), 290);
    never.used.insert("reports".to_owned(), Versioned { version: 0, value: 0 });
    super::clear_cache(&app, "ann").await;
    fill(&inside, &ann, &never).await;
    assert_eq!(in_cache(&inside, &ann).await.unwrap().used_of("reports"), 0);
    track_usage(&app, "ann", "reports", 2).await;
    assert_eq!(in_cache(&inside, &ann).await.unwrap().used_of("reports"), 2);
    fill(&inside, &ann, &never).await;
    assert_eq!(in_cache(&inside, &ann).await.unwrap().used_of("reports"), 2, "a slow reader");
}

/// Terms that were pushed for an unknown user are not served together with newer parts.
#[tokio::test]
async fn terms_of_an_unknown_user_are_not_served_with_newer_parts() {
    let app = TestApp::selling("demo").await;
    let inside = app.inside();
    let ann = UserId::try_from("ann".to_owned()).unwrap();
    let unknown = in_postgres(&inside, &ann).await;
    assert_eq!(unknown.version(), 0);
    fill(&inside, &ann, &unknown).await;
    assert!(in_cache(&inside, &ann).await.is_some());
    track_usage(&app, "ann", "reports", 1).await;
    assert_eq!(in_cache(&inside, &ann).await, None, "a miss: Postgres is read");
    assert_eq!(in_cache(&inside, &ann).await.unwrap().used_of("reports"), 1);
    // A slow reader pushes the old terms again.
    fill(&inside, &ann, &unknown).await;
    let seen = in_cache(&inside, &ann).await.unwrap();
    assert!(seen.terms.version > 0);
    app.clock.advance(HOUR);
    assert_eq!(in_cache(&inside, &ann).await, None, "no entry is fresh for an hour");
}
