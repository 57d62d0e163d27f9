//! The cache hit rate (DM-10).

use futures_util::stream::{self, StreamExt};
use jiff::SignedDuration;
use shared::clock::Clock;

use super::{get_entitlements, set_plan, track_usage};
use crate::support::TestApp;

/// DM-10: 50 users call every five seconds for ten minutes, from a cold start. Of 100 calls, 97 are
/// reads, two track usage and one changes the plan. More than 95 % of the reads are hits.
#[tokio::test]
async fn more_than_95_percent_of_the_reads_are_answered_by_the_cache() {
    const USERS: usize = 50;
    const CALLS: usize = 6_000;
    let app = TestApp::selling("demo").await;
    let between = SignedDuration::from_mins(10) / i32::try_from(CALLS).unwrap();
    app.postgres.flights();
    let calling = stream::iter(0..CALLS).map(async |call| {
        // Stays behind the machine's clock, which SQL uses too.
        Clock::advance(&app.clock, between);
        // A step that reaches every user, but not in order.
        let user = format!("u{}", call * 7_919 % 10_007 % USERS);
        match call % 100 {
            0 => set_plan(&app, &user, if call % 200 == 0 { "pro" } else { "team" }, None).await,
            33 | 66 => track_usage(&app, &user, "reports", 1).await,
            _ => drop(get_entitlements(&app, &user).await),
        }
    });
    calling.buffer_unordered(8).collect::<()>().await;
    let changes = CALLS * 3 / 100;
    let reads = CALLS - changes;
    let misses = app.postgres.flights() - changes;
    assert!(misses * 20 < reads, "{misses} of {reads} reads missed");
}
