use url::Url;

use super::is_local;

/// Returns a link to a page of Stripe that a browser may open, if it is safe to show: an HTTPS URL,
/// or one of a simulator on this machine while `api` is on this machine too.
pub fn stripe_page(link: String, api: &Url) -> Option<String> {
    let url = Url::parse(&link).ok()?;
    let has_login = !url.username().is_empty() || url.password().is_some();
    let is_https = url.scheme() == "https" && url.has_host();
    let is_simulated =
        [&url, api].into_iter().all(|it| is_local(&it.origin().ascii_serialization()));
    (!has_login && (is_https || is_simulated)).then_some(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_secure_or_of_a_local_simulator() {
        let stripe = Url::parse("https://api.stripe.com").unwrap();
        let simulator = Url::parse("http://127.0.0.1:12111").unwrap();
        let shows = |link: &str, api| stripe_page(link.to_owned(), api).is_some();
        for api in [&stripe, &simulator] {
            assert!(shows("https://invoice.stripe.com/i/acct_1/x", api));
            for bad in [
                "",
                "/i/x",
                "javascript:alert(1)",
                "data:text/html,x",
                "http://invoice.stripe.com/i/x",
                "https://invoice.stripe.com@evil.example/i/x",
                "http://127.0.0.1.evil.example/i/x",
            ] {
                assert!(!shows(bad, api), "{bad}");
            }
        }
        assert!(shows("http://127.0.0.1:3000/simulator/invoice/in_1", &simulator));
        assert!(!shows("http://127.0.0.1:3000/simulator/invoice/in_1", &stripe));
    }
}
