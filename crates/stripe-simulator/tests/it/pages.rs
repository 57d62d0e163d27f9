//! The simulator's pages, in a browser that runs no scripts.

mod buying;
mod home;
mod portal;

use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::support::Stripe;

/// A browser that does not follow redirects.
struct Browser {
    base: String,
    http: reqwest::Client,
}

struct ShownPage {
    status: StatusCode,
    headers: HeaderMap,
    html: String,
}

impl ShownPage {
    #[track_caller]
    fn expect(&self, shown: &[&str]) -> &Self {
        for part in shown {
            assert!(self.html.contains(part), "{part} in {}", self.html);
        }
        self
    }

    fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.html);
        self.headers["location"].to_str().unwrap()
    }

    fn token(&self) -> &str {
        let (_, rest) = self.html.split_once("name=\"token\" value=\"").unwrap();
        rest.split_once('"').unwrap().0
    }
}

impl Browser {
    fn of(stripe: &Stripe) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Self { base: stripe.base.clone(), http: http.build().unwrap() }
    }

    async fn open(&self, path: &str) -> ShownPage {
        self.send(self.http.get(self.url(path))).await
    }

    /// Opens a page and posts a form with its token.
    async fn press(&self, at: &str, action: &str, fields: &[(&str, &str)]) -> ShownPage {
        let token = self.open(at).await.token().to_owned();
        self.post(action, &[&[("token", token.as_str())], fields].concat()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> ShownPage {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(self.url(path)).body(body);
        self.send(request.header("content-type", "application/x-www-form-urlencoded")).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> ShownPage {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        ShownPage { status, headers, html: answer.text().await.unwrap() }
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) }
    }
}

/// Creates a checkout session for one item at 5 dollars.
async fn session(stripe: &Stripe) -> Value {
    let product = json!({ "name": "<script>alert(1)</script>" });
    let price = json!({ "currency": "usd", "unit_amount": 500, "product_data": product });
    let form = json!({
        "mode": "payment",
        "line_items": [{ "price_data": price, "quantity": 1 }],
        "success_url": "https://shop.example/done?s={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.example/basket",
    });
    stripe.post("/v1/checkout/sessions", form).await
}

fn path_of(session: &Value) -> String {
    format!("/simulator/checkout/{}", session["id"].as_str().unwrap())
}

/// Creates a user's paid subscription through a trigger on the home page.
async fn subscription(stripe: &Stripe, browser: &Browser) -> Value {
    let asked = [("event", "customer.subscription.created"), ("user", "user_1"), ("plan", "pro")];
    browser.press("/simulator", "/simulator/act/trigger", &asked).await.location();
    stripe.get("/v1/subscriptions", json!({})).await["data"][0].clone()
}

#[tokio::test]
async fn every_page_is_marked_and_allows_no_script_of_another_site() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let session = path_of(&session(&stripe).await);
    for path in ["/simulator", &session, "/simulator/checkout/cs_none", "/simulator/invoice/x"] {
        let page = browser.open(path).await;
        page.expect(&["<strong>SIMULATOR</strong>", "<html lang=\"en\">", "<main ", "<title>"]);
        page.expect(&["<a class=\"skip\" href=\"#main\">", "<a href=\"/simulator\""]);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"));
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(page.headers["cache-control"], "no-store");
        let scripts: Vec<&str> = page.html.split("<script").skip(1).collect();
        assert_eq!(scripts.len(), 1, "{}", page.html);
        assert!(scripts[0].starts_with(" src=\"/simulator/copy.js\" defer></script>"));
    }
    for (file, kind) in
        [("style.css", "text/css"), ("copy.js", "text/javascript"), ("icon.svg", "image/svg+xml")]
    {
        let file = browser.open(&format!("/simulator/{file}")).await;
        assert_eq!(file.headers["content-type"], kind);
    }
}

#[tokio::test]
async fn product_names_are_escaped() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let session = session(&stripe).await;
    let page = browser.open(&path_of(&session)).await;
    page.expect(&["&lt;script&gt;alert(1)&lt;/script&gt;", "$5.00"]);
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let session = session(&stripe).await;
    let path = path_of(&session);
    for token in [None, Some(""), Some("guessed")] {
        let mut fields = vec![("outcome", "paid")];
        fields.extend(token.map(|token| ("token", token)));
        for target in [path.as_str(), "/simulator/act/advance", "/simulator/act/switches"] {
            let page = browser.post(target, &fields).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{target}");
        }
    }
    let after = format!("/v1/checkout/sessions/{}", session["id"].as_str().unwrap());
    assert_eq!(stripe.get(&after, json!({})).await["status"], "open");
}
