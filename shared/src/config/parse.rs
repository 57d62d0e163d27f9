//! Parsers of single settings, and a reader that collects the problems of all settings.

use std::ops::RangeInclusive;
use std::str::FromStr;

use url::{Host, Url};

use super::{AdminClaim, Scope, Secret, Sender, ServiceKeyHash};
use crate::domain::jwk::parse_key_set;
use crate::domain::{Email, Permission, Rate, SampleRate};

type Parsed<T> = Result<T, &'static str>;

/// All problems of the configuration.
#[derive(Clone, Debug, Default, Eq, PartialEq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Problems(Vec<String>);

impl Problems {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

pub(super) struct Reader<'a> {
    vars: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(vars: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { vars, problems: Vec::new() }
    }

    pub(super) fn finish(self) -> Problems {
        Problems(self.problems)
    }

    pub(super) fn problem(&mut self, name: &str, what: &str) {
        self.problems.push(format!("{name}: {what}"));
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Returns the value of a setting. An empty value counts as unset, because most platforms clear
    /// a setting in this way.
    fn value(&self, name: &str) -> Option<String> {
        (self.vars)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    pub(super) fn parsed<T>(&mut self, name: &str, parse: impl Fn(&str) -> Parsed<T>) -> Option<T> {
        let value = self.value(name)?;
        parse(&value).map_err(|what| self.problem(name, what)).ok()
    }

    pub(super) fn required<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Parsed<T>,
    ) -> Option<T> {
        if !self.is_set(name) {
            self.problem(name, "must be set");
        }
        self.parsed(name, parse)
    }

    pub(super) fn required_either<T>(
        &mut self,
        name: &str,
        alias: &str,
        parse: impl Fn(&str) -> Parsed<T>,
    ) -> Option<T> {
        if !self.is_set(name) && self.is_set(alias) {
            return self.parsed(alias, parse);
        }
        self.required(name, parse)
    }

    pub(super) fn list<T>(&mut self, name: &str, parse: impl Fn(&str) -> Parsed<T>) -> Vec<T> {
        let value = self.value(name).unwrap_or_default();
        let mut items = Vec::new();
        for item in value.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match parse(item) {
                Ok(item) => items.push(item),
                Err(what) => self.problem(name, what),
            }
        }
        items
    }
}

pub(super) fn text(value: &str) -> Parsed<String> {
    Ok(value.to_owned())
}

pub(super) fn secret(value: &str) -> Parsed<Secret> {
    Ok(Secret::new(value))
}

pub(super) fn boolean(value: &str) -> Parsed<bool> {
    value.parse().map_err(|_| "must be true or false")
}

pub(super) fn api_log(value: &str) -> Parsed<Option<SampleRate>> {
    if value == "off" { Ok(None) } else { value.parse().map(Some) }
}

pub(super) fn stripe_key(value: &str) -> Parsed<Secret> {
    let is_key = ["sk_test_", "sk_live_", "rk_test_", "rk_live_"]
        .iter()
        .any(|prefix| value.starts_with(prefix));
    if is_key {
        secret(value)
    } else {
        Err("must begin with sk_test_, sk_live_, rk_test_ or rk_live_")
    }
}

pub(super) fn webhook_secret(value: &str) -> Parsed<Secret> {
    if value.starts_with("whsec_") { secret(value) } else { Err("must begin with whsec_") }
}

pub(super) fn stripe_account(value: &str) -> Parsed<String> {
    let id = value.strip_prefix("acct_").unwrap_or_default();
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_id { text(value) } else { Err("must be the id of an account, acct_...") }
}

pub(super) fn within<T: FromStr + PartialOrd>(value: &str, range: RangeInclusive<T>) -> Parsed<T> {
    let number = value.parse().map_err(|_| "is not a whole number")?;
    if range.contains(&number) { Ok(number) } else { Err("is out of range") }
}

/// Parses a URL that tokens and keys are sent to. Plain http is allowed only for this machine.
pub(super) fn http_url(value: &str) -> Parsed<Url> {
    let url = Url::parse(value).map_err(|_| "is not a URL")?;
    match url.scheme() {
        "https" if url.has_host() => Ok(url),
        "http" if is_this_machine(&url) => Ok(url),
        "http" if url.has_host() => {
            Err("must be https: plain http is allowed only for this machine")
        }
        _ => Err("is not an http or https URL"),
    }
}

/// Parses the URL of Redis. Farebox's front of a Redis has no TLS, and on a network of containers it
/// has a name without a dot, such as `redis-front`. Hosts on the internet have a dot in theirs.
pub(super) fn redis_url(value: &str) -> Parsed<Url> {
    match Url::parse(value) {
        Ok(url) if url.scheme() == "http" && !is_this_machine(&url) => match url.host() {
            Some(Host::Domain(name)) if !name.contains('.') => Ok(url),
            _ => Err(
                "must be https: plain http is allowed only for this machine and for the name of \
                      a container, which has no dot",
            ),
        },
        _ => http_url(value),
    }
}

/// Returns true if requests to the URL do not leave this machine.
pub fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Parses the mail server's URL, which may contain a user name and a password.
pub(super) fn smtp_url(value: &str) -> Parsed<Secret> {
    let url = Url::parse(value).map_err(|_| "is not a URL")?;
    match url.scheme() {
        "smtp" | "smtps" if url.has_host() => secret(value),
        _ => Err("is not an smtp:// or smtps:// URL"),
    }
}

/// `Acme <billing@acme.example>`, or the address alone.
pub(super) fn sender(value: &str) -> Parsed<Sender> {
    let (name, address) = match value.split_once('<') {
        Some((name, rest)) => {
            (line(name.trim())?, rest.strip_suffix('>').ok_or("must have a > after its address")?)
        }
        None => (String::new(), value),
    };
    let address = Email::try_from(address.trim().to_owned());
    let address =
        address.map_err(|_| "must have an e-mail address, as in Acme <billing@acme.com>")?;
    Ok(Sender { name: Some(name).filter(|name| !name.is_empty()), address })
}

/// Parses text that fits into a mail header: one line.
pub(super) fn line(value: &str) -> Parsed<String> {
    if value.chars().any(char::is_control) { Err("must be one line of text") } else { text(value) }
}

pub(super) fn secret_url(value: &str) -> Parsed<Secret> {
    http_url(value).map(Secret::new)
}

pub(super) fn postgres_url(value: &str) -> Parsed<Secret> {
    let url = Url::parse(value).map_err(|_| "is not a URL")?;
    match url.scheme() {
        "postgres" | "postgresql" if url.has_host() => Ok(Secret::new(value)),
        _ => Err("is not a postgres:// URL"),
    }
}

/// A certificate in one environment variable often carries its line ends as `\n`.
pub(super) fn pem(value: &str) -> Parsed<String> {
    let pem = value.replace("\\n", "\n");
    if pem.contains("-----BEGIN CERTIFICATE-----") {
        Ok(pem)
    } else {
        Err("is not a PEM certificate")
    }
}

pub(super) fn jwks(value: &str) -> Parsed<String> {
    if parse_key_set(value.as_bytes()).is_some() {
        Ok(value.to_owned())
    } else {
        Err("is not a key set, {\"keys\": [...]}, with an RS256, ES256 or EdDSA key")
    }
}

/// Parses a secret. RFC 7518 requires it to be at least as long as the hash.
pub(super) fn hs256_secret(value: &str) -> Parsed<Secret> {
    if value.len() < 32 { Err("must have at least 32 characters") } else { Ok(Secret::new(value)) }
}

/// Parses a secret. A shorter one could be guessed.
pub(super) fn cron_secret(value: &str) -> Parsed<Secret> {
    if value.len() < 16 { Err("must have at least 16 characters") } else { secret(value) }
}

/// Parses an origin in the form that browsers send: scheme, host and port, without a path.
pub(super) fn origin(value: &str) -> Parsed<String> {
    let url = http_url(value)?;
    let origin = url.origin().ascii_serialization();
    if origin == value.trim_end_matches('/') {
        Ok(origin)
    } else {
        Err("is not an origin, such as https://app.example.com")
    }
}

pub(super) fn named_rate(value: &str) -> Parsed<(String, Rate)> {
    let (name, rate) =
        value.split_once('=').ok_or("must be a name and a rate, such as review-code=10/1h")?;
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if name.is_empty() || name.len() > 64 || !plain {
        return Err("must have names of 1 to 64 letters, digits, -, _ or .");
    }
    Ok((name.to_owned(), rate.parse()?))
}

pub(super) fn admin_claim(value: &str) -> Parsed<AdminClaim> {
    match value.rsplit_once('=') {
        Some((path, value)) if !path.is_empty() && !value.is_empty() => {
            Ok(AdminClaim { path: path.to_owned(), value: value.to_owned() })
        }
        _ => Err("must be a claim and its value, such as metadata.role=admin"),
    }
}

/// Parses a role and its permission. A role may contain a colon, as Clerk's do.
pub(super) fn role(value: &str) -> Parsed<(String, Permission)> {
    const FORM: &str = "must be a role and its permission, read, spend or buy: org:admin=buy";
    let (role, permission) = value.rsplit_once('=').ok_or(FORM)?;
    let permission = permission.parse().map_err(|()| FORM)?;
    if role.is_empty() { Err(FORM) } else { Ok((role.to_owned(), permission)) }
}

pub(super) fn service_key_hash(value: &str) -> Parsed<ServiceKeyHash> {
    const FORM: &str = "must be service:SHA256 or admin:SHA256, with the hash as 64 hex digits";
    let (scope, hex) = value.split_once(':').ok_or(FORM)?;
    let scope = match scope {
        "service" => Scope::Service,
        "admin" => Scope::Admin,
        _ => return Err(FORM),
    };
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(FORM);
    }
    let mut sha256 = [0; 32];
    for (byte, digits) in sha256.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let digits = str::from_utf8(digits).map_err(|_| FORM)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| FORM)?;
    }
    Ok(ServiceKeyHash { scope, sha256 })
}
