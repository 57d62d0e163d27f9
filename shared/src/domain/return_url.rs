use serde::Serialize;
use url::Url;

use super::Origins;

/// The URL to which Stripe sends a customer back: a page on one of the app's origins.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ReturnUrl(String);

impl ReturnUrl {
    pub const MAX_BYTES: usize = 2_000;
    /// The form of a URL as an OpenAPI pattern: printable ASCII, without a login or a backslash. It
    /// must also be on one of the app's origins.
    pub const PATTERN: &str = r"^https?://[$-.0->A-\[\]-~]+([/?#][!-\[\]-~]*)?$";

    /// Accepts a URL on one of `origins`. Both the text and the parsed URL must be on that origin.
    /// Everything that parsers are known to read differently is refused.
    pub fn parse(text: &str, origins: &Origins) -> Result<Self, &'static str> {
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        if text.len() > Self::MAX_BYTES || !text.bytes().all(plain) {
            return Err("must be a URL of at most 2000 plain characters");
        }
        let url = Url::parse(text).map_err(|_| "must be a URL")?;
        let has_login = !url.username().is_empty() || url.password().is_some();
        let origin = url.origin().ascii_serialization();
        let rest = text.strip_prefix(origin.as_str());
        let is_on_origin =
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
        if !is_on_origin || has_login || !origins.allow(&origin) {
            return Err("must be on one of the origins in ALLOWED_ORIGINS");
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Origins, ReturnUrl};

    #[test]
    fn only_urls_on_allowed_origins_are_accepted() {
        let origins = ["https://good.example".to_owned(), "http://localhost:3000".to_owned()];
        let origins = Origins::new(origins.into());
        for good in [
            "https://good.example",
            "https://good.example/",
            "https://good.example/done?session_id={CHECKOUT_SESSION_ID}",
            "https://good.example?a=b#c",
            "http://localhost:3000/cancel",
        ] {
            assert!(ReturnUrl::parse(good, &origins).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/done",
            "//evil.example/done",
            "https://evil.example",
            "https://good.example@evil.example",
            "https://good.example:443@evil.example",
            "https://me:secret@good.example/",
            "https://good.example.evil.example",
            "https://good.example:8443/",
            "http://good.example/",
            "HTTPS://GOOD.example/",
            "https:good.example/",
            "https://good.example\\@evil.example",
            "https://good.example/\r\nLocation: https://evil.example",
            "https://good.example/\t",
            " https://good.example/",
            "https://gооd.example/",
            "javascript:alert(1)",
            "javascript://good.example/%0aalert(1)",
            "data:text/html,x",
            "null",
        ] {
            assert!(ReturnUrl::parse(bad, &origins).is_err(), "{bad}");
        }
        assert!(ReturnUrl::parse("https://good.example", &Origins::default()).is_err());
        let local = "http://127.0.0.1:5173/done?session_id={CHECKOUT_SESSION_ID}";
        assert!(ReturnUrl::parse(local, &origins).is_err());
        assert!(ReturnUrl::parse(local, &origins.clone().with_any_local_port()).is_ok());
        let login = "http://localhost:5173@evil.example/";
        assert!(ReturnUrl::parse(login, &origins.with_any_local_port()).is_err());
    }
}
