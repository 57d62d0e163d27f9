//! The page at `/`: what this stack answers, for whoever opens it in a browser.

use std::fmt::Write as _;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use shared::endpoints;
use shared::http::{Access, Endpoint};

pub fn router() -> Router {
    Router::new().route("/", get(|| async { Html(render(endpoints::ALL)) }))
}

fn render(table: &[&Endpoint]) -> String {
    let mut rows = String::new();
    for endpoint in table {
        let methods: Vec<_> = endpoint.methods.iter().map(|method| method.as_str()).collect();
        let (methods, path, who) = (methods.join(", "), endpoint.path, who(endpoint.access));
        let rate = endpoint.rate.map_or("no limit".to_owned(), |rate| {
            format!("{} in {} s", rate.limit, rate.window_seconds)
        });
        // Writing to a string cannot fail.
        let _ = writeln!(
            rows,
            "<tr><td>{methods}</td><td><code>{path}</code></td><td>{who}</td><td>{rate}</td></tr>"
        );
    }
    include_str!("page.html").replace("{rows}", &rows)
}

fn who(access: Access) -> &'static str {
    match access {
        Access::Public => "anyone",
        Access::User => "a user, for themselves",
        Access::Service => "a trusted server",
        Access::Admin => "an admin",
        Access::Cron => "the scheduler",
        Access::Stripe => "Stripe",
    }
}
