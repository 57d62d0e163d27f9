//! The stack's own pages: home, success page and API, and the navigation that joins all pages.

use serde_json::json;

use super::{Dev, Redis, directory, setting, stdout_of};
use crate::support::{Button, press_button};

impl Dev {
    async fn page(&self, path: &str) -> String {
        self.call("GET", path, "", None).await.expect_status(200).text
    }
}

#[tokio::test]
async fn every_page_links_to_the_others_and_marks_itself() {
    let dir = directory("pages");
    let dev = Dev::start(&dir, Redis::Engine).await;
    let pages =
        [("/", "Home"), ("/simulator", "Simulator"), ("/mail", "Mail"), ("/api-docs", "API")];
    for (path, label) in pages {
        let page = dev.page(path).await;
        let current = format!("<a href=\"{path}\" aria-current=\"page\">{label}</a>");
        assert!(page.contains(&current), "{current} in {page}");
        for (other, label) in pages.iter().filter(|(other, _)| *other != path) {
            assert!(page.contains(&format!("<a href=\"{other}\">{label}</a>")), "{page}");
        }
        for part in ["<main id=\"main\"", "class=\"skip\"", "<link rel=\"icon\""] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
    for root in ["/home", "/simulator", "/mail"] {
        for file in ["style.css", "copy.js", "icon.svg"] {
            dev.page(&format!("{root}/{file}")).await;
        }
    }
    let api = dev.page("/api-docs").await;
    assert!(api.contains("/api/usage") && api.contains("Report usage"), "{api}");
    let openapi = dev.call("GET", "/api-docs/openapi.json", "", None).await.expect_status(200);
    assert_eq!(openapi.body["openapi"], "3.1.0");

    let settings = stdout_of(&dir, &["env"]).await;
    let manage_url = setting(&settings, "EMAIL_MANAGE_URL");
    let path = manage_url.strip_prefix(&dev.base).unwrap();
    assert!(dev.page(path).await.contains("<h1>Manage your subscription</h1>"));
    dev.stop(&dir).await;
}

#[tokio::test]
async fn the_success_page_says_what_was_bought() {
    let dir = directory("success");
    let dev = Dev::start(&dir, Redis::Engine).await;
    let unknown = dev.page("/?session=cs_%3Cb%3E").await;
    assert!(unknown.contains("role=\"alert\">No checkout session cs_&lt;b&gt;.<"), "{unknown}");
    assert!(!dev.page("/").await.contains("role=\"alert\""));

    let token = stdout_of(&dir, &["token", "--user", "ann"]).await;
    let order = json!({
        "tier": "pro", "interval": "monthly", "cancelUrl": format!("{}/", dev.base),
        "successUrl": format!("{}/?session={{CHECKOUT_SESSION_ID}}", dev.base),
    });
    let path = "/api/stripe/create-checkout-session";
    let session = dev.call("POST", path, &token, Some(order)).await.expect_status(200).body;
    let success = format!("/?session={}", session["sessionId"].as_str().unwrap());
    assert!(dev.page(&success).await.contains("is not complete yet."));
    press_button(session["url"].as_str().unwrap(), Button::Pay).await;
    let page = dev.page(&success).await;
    for part in [
        "Checkout complete: Pro. Nothing was charged.",
        "trialing, $29.00 per month",
        "<dd>ann</dd>",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    dev.stop(&dir).await;
}
