use url::Url;

/// The browser origins that may call, and to which Stripe may redirect a customer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Origins {
    /// As browsers send them: scheme, host and port.
    exact: Vec<String>,
    /// Also allows `http://localhost` and `http://127.0.0.1` with any port.
    any_local_port: bool,
}

impl Origins {
    pub fn new(exact: Vec<String>) -> Self {
        Self { exact, any_local_port: false }
    }

    /// Also allows every port of this machine, for development: a front end's dev server may run
    /// on any of them. Never for a deployed function.
    pub fn with_any_local_port(self) -> Self {
        Self { any_local_port: true, ..self }
    }

    /// Returns whether an origin, as a browser sends it, is allowed.
    pub fn allow(&self, origin: &str) -> bool {
        let is_listed = self.exact.iter().any(|exact| exact == origin);
        is_listed || self.any_local_port && is_local(origin)
    }
}

/// Returns whether an origin is `http://localhost` or `http://127.0.0.1`, with or without a port.
pub fn is_local(origin: &str) -> bool {
    let Ok(url) = Url::parse(origin) else { return false };
    let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1"));
    // An origin has one spelling: anything else is not from a browser.
    url.scheme() == "http" && is_local && url.origin().ascii_serialization() == origin
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: [&str; 4] = [
        "http://localhost:5173",
        "http://127.0.0.1:8080",
        "http://localhost",
        "http://127.0.0.1:65535",
    ];

    #[test]
    fn without_local_ports_only_the_listed_origins_are_allowed() {
        let origins = Origins::new(vec!["https://app.example".to_owned()]);
        assert!(origins.allow("https://app.example"));
        for origin in LOCAL.into_iter().chain(["https://app.example:8443", "http://app.example"]) {
            assert!(!origins.allow(origin), "{origin}");
        }
        assert!(!Origins::default().allow(""));
    }

    #[test]
    fn with_local_ports_every_port_of_this_machine_is_allowed() {
        let origins = Origins::new(vec!["https://app.example".to_owned()]).with_any_local_port();
        for origin in LOCAL.into_iter().chain(["https://app.example"]) {
            assert!(origins.allow(origin), "{origin}");
        }
        for origin in [
            "",
            "null",
            "localhost:3000",
            "https://localhost:3000",
            "http://localhost:3000/",
            "http://localhost:80",
            "http://LOCALHOST:3000",
            "http://localhost.evil.example:3000",
            "http://evil.example:3000",
            "http://127.0.0.1.evil.example",
            "http://127.0.0.2:3000",
            "http://127.1:3000",
            "http://me@localhost:3000",
            "http://localhost:70000",
            "file://localhost",
        ] {
            assert!(!origins.allow(origin), "{origin}");
        }
    }
}
