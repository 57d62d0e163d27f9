//! The page at `/`: what this stack answers, for whoever opens it in a browser, and where a purchase
//! may end that has no page of an app to go to.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::RawQuery;
use axum::http::{HeaderMap, header};
use axum::response::Html;
use axum::routing::get;
use shared::endpoints;
use shared::http::{Access, Endpoint};
use url::form_urlencoded;

pub fn router() -> Router {
    Router::new().route("/", get(show))
}

async fn show(headers: HeaderMap, RawQuery(query): RawQuery) -> Html<String> {
    let query = query.unwrap_or_default();
    let mut asked = form_urlencoded::parse(query.as_bytes());
    let session = asked.find(|(name, value)| name == "session" && value.starts_with("cs_"));
    let bought = session.map_or(String::new(), |(_, session)| bought(&session));
    Html(render(endpoints::ALL, &base(&headers), &bought))
}

/// The address under which the page was asked for. It stands in lines that are pasted into a shell,
/// so it is a host and a port or else the usual ones.
fn base(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let plain = |letter: char| letter.is_ascii_alphanumeric() || ".-:[]".contains(letter);
    let host = host.filter(|host| !host.is_empty() && host.chars().all(plain));
    format!("http://{}", host.unwrap_or("127.0.0.1:3000"))
}

/// What somebody reads who comes from a checkout.
fn bought(session: &str) -> String {
    let session = escaped(session);
    format!(
        "<p class=\"done\" role=\"status\">Your purchase is complete ({session}): \
         see <code>GET /api/subscription</code>.</p>\n"
    )
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

fn render(table: &[&Endpoint], base: &str, bought: &str) -> String {
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
    let page = include_str!("page.html").replace("{rows}", &rows).replace("{base}", base);
    // Last: what comes from the address is put in as it is.
    page.replace("{bought}", bought)
}

fn who(access: Access) -> &'static str {
    match access {
        Access::Public => "anyone",
        Access::User => "a user, for themselves; a trusted server, for anyone",
        Access::Service => "a trusted server",
        Access::Admin => "an admin",
        Access::Cron => "the scheduler",
        Access::Stripe => "Stripe",
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    async fn opened(host: &'static str, query: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        show(headers, RawQuery(Some(query.to_owned()))).await.0
    }

    #[tokio::test]
    async fn lines_to_paste_name_the_address_that_was_asked() {
        let page = opened("127.0.0.1:3007", "").await;
        assert!(page.contains("curl -X POST http://127.0.0.1:3007/api/session"), "{page}");
        let success = "http://127.0.0.1:3007/?session={CHECKOUT_SESSION_ID}\"";
        assert!(page.contains(success) && !page.contains(":3000"), "{page}");
        assert!(!page.contains("Your purchase is complete"), "{page}");
        let hostile = opened("x'$(reboot)", "").await;
        assert!(hostile.contains("http://127.0.0.1:3000/api") && !hostile.contains("reboot"));
    }

    #[tokio::test]
    async fn a_purchase_may_end_here() {
        let page = opened("localhost:3000", "session=cs_test_%3Cb%3E").await;
        let line = "Your purchase is complete (cs_test_&lt;b&gt;): see";
        assert!(page.contains(line) && !page.contains("<b>"), "{page}");
        assert!(!opened("localhost:3000", "session=x").await.contains("complete ("));
    }
}
