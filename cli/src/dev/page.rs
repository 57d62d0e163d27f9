//! The stack's own pages: the home page with a tour of commands, which is also the success page of a
//! checkout, and the list of routes.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use dev_pages::parts::Column::Text;
use dev_pages::parts::{commands, table, text, unbroken};
use dev_pages::{Section, document, response};
use maud::{Markup, html};
use serde_json::Value;
use shared::http::{Access, Endpoint};
use shared::{endpoints, openapi};
use url::form_urlencoded;

use super::purchase::{Purchases, Shown};

pub const HOME: &str = "/";
pub const API: &str = "/api-docs";

const SECTION: Section = Section {
    name: "Farebox, local",
    mark: "LOCAL",
    note: "This stack runs on this machine.",
    root: "/home",
};

/// The home page and the list of routes have no forms.
const DIRECTIVES: &str = "form-action 'none'";

static OPENAPI: LazyLock<Value> = LazyLock::new(openapi::document);

/// A step of the tour: its title, what it shows, and its commands. `{base}` is the stack's address.
struct Step {
    title: &'static str,
    about: &'static str,
    commands: &'static str,
}

const TOUR: [Step; 8] = [
    Step {
        title: "Get a token",
        about: "A token identifies a user to the API. Run this in a second terminal, in the folder of \
                the source code.",
        commands: "TOKEN=$(cargo run -q -- token --user test-123)",
    },
    Step {
        title: "See the plans",
        about: "The catalog lists plans, prices, features and credit packs. Edit catalogs/demo.toml to \
                change it.",
        commands: "curl {base}/api/plans",
    },
    Step {
        title: "Check what a user may do",
        about: "The free plan includes five reports a month. A refusal says why, and which plan \
                allows it.",
        commands: r#"curl {base}/api/check -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' -d '{"feature":"reports","quantity":3}'"#,
    },
    Step {
        title: "Report usage",
        about: "The first call counts three reports. A second one is refused, because it exceeds the \
                limit.",
        commands: r#"curl {base}/api/usage -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' -d '{"feature":"reports","quantity":3}'"#,
    },
    Step {
        title: "Buy a plan",
        about: "Open the url of the response in the browser, and pay. A test card is filled in.",
        commands: r#"curl {base}/api/stripe/create-checkout-session -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' \
  -d '{"tier":"pro","interval":"monthly","cancelUrl":"{base}/",
       "successUrl":"{base}/?session={CHECKOUT_SESSION_ID}"}'"#,
    },
    Step {
        title: "Spend credits",
        about: "The Pro plan includes 100 AI credits. A repeated call with the same key spends them \
                once.",
        commands: r#"curl {base}/api/credits -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' -H 'Idempotency-Key: essay-7' \
  -d '{"action":"spend","unit":"ai_credit","amount":4}'"#,
    },
    Step {
        title: "Let time pass",
        about: "The clock moves for the whole stack: trials end, subscriptions renew, and receipts \
                arrive in the mail.",
        commands: r#"cargo run -q -- clock advance 1mo
curl {base}/api/subscription -H "Authorization: Bearer $TOKEN""#,
    },
    Step {
        title: "Record a companion app's live stats",
        about: "Sign-in days, streaks and mood, for an app that greets its users.",
        commands: r#"curl -X POST {base}/api/session -H "Authorization: Bearer $TOKEN"
curl -X PATCH {base}/api/mood -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' -d '{"score":8.5}'"#,
    },
];

/// The parts of the stack that the home page names.
#[derive(Clone, Debug)]
pub struct Stack {
    pub purchases: Purchases,
    /// False if the environment names a Stripe account.
    pub has_simulator: bool,
    /// False if the environment names a mail server.
    pub captures_mail: bool,
}

pub fn router(stack: Stack) -> Router {
    Router::new()
        .route(HOME, get(home))
        .with_state(stack)
        .route(API, get(api))
        .route("/api-docs/openapi.json", get(openapi_json))
        .merge(response::assets(&SECTION))
}

async fn home(
    State(stack): State<Stack>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let mut fields = form_urlencoded::parse(query.as_bytes());
    let shown = match fields.find(|(name, value)| name == "session" && !value.is_empty()) {
        Some((_, session)) => Some(stack.purchases.look_up(&session).await),
        None => None,
    };
    page(home_page(&base(&headers), &introduction(&stack), shown))
}

/// The address in the request's Host header. It becomes part of shell commands, so anything but a
/// plain host and port is replaced by the default.
fn base(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let plain = |letter: char| letter.is_ascii_alphanumeric() || ".-:[]".contains(letter);
    let host = host.filter(|host| !host.is_empty() && host.chars().all(plain));
    format!("http://{}", host.unwrap_or("127.0.0.1:3000"))
}

fn page(html: String) -> Response {
    response::page(StatusCode::OK, html, DIRECTIVES)
}

fn home_page(base: &str, introduction: &Markup, shown: Option<Shown>) -> String {
    let (notice, purchase) = match shown {
        Some(Shown { notice, details }) => (Some(notice), details),
        None => (None, html! {}),
    };
    let content = html! {
        (purchase)
        (introduction)
        ol.tour {
            @for step in &TOUR {
                li {
                    section {
                        h2 { (step.title) }
                        p { (step.about) }
                        (commands(&step.commands.replace("{base}", base)))
                    }
                }
            }
        }
    };
    document(&SECTION, "Farebox", notice, &content)
}

fn introduction(stack: &Stack) -> Markup {
    html! {
        p {
            "Farebox is the billing back end of an app: it sells plans and credits through Stripe, and \
             decides what each user may do."
        }
        p {
            @if stack.has_simulator {
                a href="/simulator" { "The Stripe simulator" }
                " shows subscriptions and events, moves the clock and causes failures. "
            } @else {
                "Stripe is the account of " code { "STRIPE_SECRET_KEY" } ". "
            }
            @if stack.captures_mail {
                a href="/mail" { "Mail" } " shows the e-mails that users would get. "
            }
            a href=(API) { "API" } " lists all routes."
        }
    }
}

async fn api() -> Response {
    page(api_page(endpoints::ALL))
}

fn api_page(endpoints: &[&Endpoint]) -> String {
    let rows: Vec<_> = endpoints.iter().flat_map(|endpoint| rows(endpoint)).collect();
    let columns =
        [Text("Method"), Text("Path"), Text("Purpose"), Text("Callers"), Text("Rate limit")];
    let content = html! {
        p {
            a href="/api-docs/openapi.json" { "openapi.json" }
            " describes every field and error. " code { "docs/farebox.d.ts" }
            " has the same types for TypeScript."
        }
        section { (table("Routes", &columns, &rows)) }
    };
    document(&SECTION, "API", None, &content)
}

/// A row for each method of an endpoint.
fn rows(endpoint: &Endpoint) -> Vec<Vec<Markup>> {
    let row = |method: &shared::http::Method| {
        let method = method.as_str();
        let summary = &OPENAPI["paths"][endpoint.path][method.to_lowercase()]["summary"];
        vec![
            unbroken(method),
            html! { code.unbroken { (endpoint.path) } },
            text(summary.as_str().unwrap_or_default()),
            text(callers(endpoint.access)),
            unbroken(&rate(endpoint)),
        ]
    };
    endpoint.methods.iter().map(row).collect()
}

fn rate(endpoint: &Endpoint) -> String {
    endpoint
        .rate
        .map_or("none".to_owned(), |rate| format!("{} per {} s", rate.limit, rate.window_seconds))
}

fn callers(access: Access) -> &'static str {
    match access {
        Access::Public => "anyone",
        Access::User => "a user; a service key or an admin for any user",
        Access::Service => "a service key or an admin",
        Access::Admin => "an admin",
        Access::Cron => "the scheduler",
        Access::Stripe => "Stripe",
    }
}

async fn openapi_json() -> Response {
    axum::Json(&*OPENAPI).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn opened(host: &'static str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        home_page(&base(&headers), &html! {}, None)
    }

    #[test]
    fn commands_name_the_address_of_the_request() {
        let page = opened("127.0.0.1:3007");
        assert!(page.contains("curl -X POST http://127.0.0.1:3007/api/session"), "{page}");
        let success = "http://127.0.0.1:3007/?session={CHECKOUT_SESSION_ID}\"";
        assert!(page.contains(success) && !page.contains(":3000"), "{page}");
        let hostile = opened("x'$(reboot)");
        assert!(hostile.contains("http://127.0.0.1:3000/api") && !hostile.contains("reboot"));
    }

    #[test]
    fn commands_need_no_escaping_in_html() {
        for step in &TOUR {
            assert!(!step.commands.contains(['<', '>', '&']), "{}", step.commands);
        }
    }

    #[test]
    fn every_route_is_listed_with_its_purpose() {
        let page = api_page(endpoints::ALL);
        for endpoint in endpoints::ALL {
            assert!(page.contains(&format!("<code class=\"unbroken\">{}</code>", endpoint.path)));
        }
        assert!(page.contains("<td>Report usage</td>") && !page.contains("<td></td>"), "{page}");
    }
}
