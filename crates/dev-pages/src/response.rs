//! HTTP responses with a page, and with the files that every page loads.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::layout::Section;

/// Separate files, because the pages' policy forbids inline styles and scripts.
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("copy.js");
const ICON: &str = include_str!("icon.svg");

/// The policy of every page. `page` adds directives to it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// The policy of a response that is not a page.
const NO_PAGE: &str = "default-src 'none'";

/// An HTML response. `directives` completes the content security policy: `form-action 'self'`.
pub fn page(status: StatusCode, html: String, directives: &str) -> Response {
    let policy = format!("{POLICY}; {directives}");
    respond(status, "text/html; charset=utf-8", &policy, html.into_bytes())
}

/// A response that no other site can frame, read or cache.
pub fn respond(status: StatusCode, kind: &'static str, policy: &str, body: Vec<u8>) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    response
}

/// The style sheet, the script and the icon of a section's pages.
pub fn assets(section: &Section) -> Router {
    let file = |kind: &'static str, text: &'static str| {
        get(async move || respond(StatusCode::OK, kind, NO_PAGE, text.into()))
    };
    let root = section.root;
    Router::new()
        .route(&format!("{root}/style.css"), file("text/css", STYLE))
        .route(&format!("{root}/copy.js"), file("text/javascript", SCRIPT))
        .route(&format!("{root}/icon.svg"), file("image/svg+xml", ICON))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_small_and_load_nothing_else() {
        assert!(STYLE.len() < 10_000 && SCRIPT.len() < 2_000 && ICON.len() < 1_000);
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
        assert!(!SCRIPT.contains("fetch") && !SCRIPT.contains("innerHTML"));
    }

    #[test]
    fn a_page_runs_only_scripts_of_its_own_site() {
        let response = page(StatusCode::OK, String::new(), "form-action 'none'");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"));
        assert!(policy.ends_with("form-action 'none'") && !policy.contains("unsafe"), "{policy}");
    }
}
