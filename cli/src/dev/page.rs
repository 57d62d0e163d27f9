//! The page at `/` of the local stack: commands to try, and the list of routes. It can also be the
//! success page of a checkout.

use axum::Router;
use axum::extract::RawQuery;
use axum::http::{HeaderMap, header};
use axum::response::Html;
use axum::routing::get;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use shared::endpoints;
use shared::http::{Access, Endpoint};
use url::form_urlencoded;

const STYLE: &str = include_str!("page.css");

const TRY: &str = r#"TOKEN=$(cargo run -q -- token --user test-123)
curl -X POST {base}/api/session -H "Authorization: Bearer $TOKEN""#;

const BUY: &str = r#"curl -X POST {base}/api/stripe/create-checkout-session \
  -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -d '{"tier":"pro","interval":"monthly","successUrl":"{base}/?session={CHECKOUT_SESSION_ID}","cancelUrl":"{base}/"}'"#;

const USE: &str = r#"curl {base}/api/entitlements -H "Authorization: Bearer $TOKEN"
curl -X POST {base}/api/usage -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -d '{"feature":"reports","quantity":3}'
curl -X POST {base}/api/credits -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -d '{"action":"spend","unit":"ai_credit","amount":5}'"#;

pub fn router() -> Router {
    Router::new().route("/", get(home))
}

async fn home(headers: HeaderMap, RawQuery(query): RawQuery) -> Html<String> {
    let query = query.unwrap_or_default();
    let mut fields = form_urlencoded::parse(query.as_bytes());
    let session = fields.find(|(name, value)| name == "session" && value.starts_with("cs_"));
    let session = session.map(|(_, session)| session);
    Html(page(endpoints::ALL, &base(&headers), session.as_deref()).into_string())
}

/// The address in the request's Host header. It becomes part of shell commands, so anything but a
/// plain host and port is replaced by the default.
fn base(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let plain = |letter: char| letter.is_ascii_alphanumeric() || ".-:[]".contains(letter);
    let host = host.filter(|host| !host.is_empty() && host.chars().all(plain));
    format!("http://{}", host.unwrap_or("127.0.0.1:3000"))
}

fn page(endpoints: &[&Endpoint], base: &str, session: Option<&str>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Farebox, local" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Farebox" }
                @if let Some(session) = session { (purchase(session)) }
                (introduction())
                h2 id="try" { "Try it" }
                (shell(TRY, base))
                h2 id="buy" { "Buy a plan" }
                p {
                    "Open the " code { "url" } " of the response in the browser, and pay. "
                    a href="/api/plans" { "The catalog" } " lists the plans."
                }
                (shell(BUY, base))
                h2 id="use" { "Use it" }
                p { "Get the entitlements, report usage and spend credits. Then exceed a limit." }
                (shell(USE, base))
                h2 { "Routes" }
                (route_table(endpoints))
            }
        }
    }
}

fn purchase(session: &str) -> Markup {
    html! {
        p.done role="status" {
            "Your purchase is complete (" (session) "): see "
            code { "GET /api/subscription" } "."
        }
    }
}

fn introduction() -> Markup {
    html! {
        p {
            "This is the local stack. Its data is in " code { ".farebox" }
            " and is kept after a restart. Its processes end with it."
        }
        p {
            "If no Stripe key is set, " a href="/simulator" { "the simulator" }
            " replaces Stripe: it shows events, moves the clock and causes failures. No money moves. If \
             no mail server is set, " a href="/mail" { "the mail page" }
            " shows the e-mails that users would receive."
        }
    }
}

/// Shell commands to paste. They are not escaped, so that the page's source can be pasted too:
/// neither the commands nor a base contain a character that HTML requires to be escaped.
fn shell(commands: &str, base: &str) -> Markup {
    html! { pre tabindex="0" { (PreEscaped(commands.replace("{base}", base))) } }
}

fn route_table(endpoints: &[&Endpoint]) -> Markup {
    html! {
        div.scrolls tabindex="0" role="region" aria-label="Routes" {
            table {
                thead {
                    tr { th { "Method" } th { "Path" } th { "Callers" } th { "Rate limit" } }
                }
                tbody {
                    @for endpoint in endpoints {
                        tr {
                            td { (methods(endpoint)) }
                            td { code { (endpoint.path) } }
                            td { (callers(endpoint.access)) }
                            td { (rate(endpoint)) }
                        }
                    }
                }
            }
        }
    }
}

fn methods(endpoint: &Endpoint) -> String {
    let methods: Vec<_> = endpoint.methods.iter().map(|method| method.as_str()).collect();
    methods.join(", ")
}

fn rate(endpoint: &Endpoint) -> String {
    endpoint.rate.map_or("no limit".to_owned(), |rate| {
        format!("{} per {} s", rate.limit, rate.window_seconds)
    })
}

fn callers(access: Access) -> &'static str {
    match access {
        Access::Public => "anyone",
        Access::User => "a user, for their own data; a service key or an admin, for any user",
        Access::Service => "a service key or an admin",
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
        home(headers, RawQuery(Some(query.to_owned()))).await.0
    }

    #[tokio::test]
    async fn commands_name_the_address_of_the_request() {
        let page = opened("127.0.0.1:3007", "").await;
        assert!(page.contains("curl -X POST http://127.0.0.1:3007/api/session"), "{page}");
        let success = "http://127.0.0.1:3007/?session={CHECKOUT_SESSION_ID}\"";
        assert!(page.contains(success) && !page.contains(":3000"), "{page}");
        assert!(!page.contains("Your purchase is complete"), "{page}");
        let hostile = opened("x'$(reboot)", "").await;
        assert!(hostile.contains("http://127.0.0.1:3000/api") && !hostile.contains("reboot"));
    }

    #[tokio::test]
    async fn the_page_confirms_a_purchase() {
        let page = opened("localhost:3000", "session=cs_test_%3Cb%3E").await;
        let line = "Your purchase is complete (cs_test_&lt;b&gt;): see";
        assert!(page.contains(line) && !page.contains("<b>"), "{page}");
        assert!(!opened("localhost:3000", "session=x").await.contains("complete ("));
    }
}
