//! Headers of every answer.

use shared::endpoints::ALL;
use shared::http::Access;

use super::call;
use crate::support::{ApiResponse, CRON_SECRET, Mode, TestApp};

fn expect_headers(answer: &ApiResponse, caching: &str) {
    assert_eq!(answer.header("cache-control"), caching, "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
    assert_eq!(answer.headers.get_all("cache-control").iter().count(), 1, "{answer:?}");
}

/// An answer is private to its caller: caches do not store it, and browsers do not render it. The
/// list of plans is public.
#[tokio::test]
async fn only_the_list_of_plans_is_cached() {
    let app = TestApp::selling("paintracker").await;
    let (ann, admin) = (app.token("ann"), app.admin_key.clone());
    for row in ALL {
        let token = match row.access {
            Access::User => ann.as_str(),
            Access::Cron => CRON_SECRET,
            _ => admin.as_str(),
        };
        for method in row.methods {
            let stranger = call(&app, method.as_str(), row).send().await;
            let known = call(&app, method.as_str(), row).bearer(token).send().await;
            for answer in [stranger, known] {
                let caching = match row.name {
                    "plans" => "public, max-age=60, stale-while-revalidate=600",
                    _ => "no-store",
                };
                expect_headers(&answer, caching);
            }
        }
        expect_headers(&app.call("TRACE", row.path).send().await.expect_status(405), "no-store");
        let asked = app.call("OPTIONS", row.path).header("origin", "https://app.example");
        let asked = asked.header("access-control-request-method", row.methods[0].as_str());
        expect_headers(&asked.send().await.expect_status(200), "no-store");
    }
    expect_headers(&app.get("/api/unknown").send().await.expect_status(404), "no-store");
    let known = app.get("/api/plans").header("if-none-match", "*").send().await;
    expect_headers(&known.expect_status(304), "public, max-age=60, stale-while-revalidate=600");
    app.postgres.set(Mode::Down).await;
    expect_headers(&app.get("/api/plans").send().await.expect_status(503), "no-store");
}
