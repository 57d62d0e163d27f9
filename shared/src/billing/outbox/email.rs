//! E-mails over SMTP.
//!
//! A message that is sent again, since nobody knows whether it arrived, carries the Message-ID it had
//! before: whoever receives both can tell that they are one.

mod letter;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use url::{Host, Url};

use super::{BATCH, DELIVERY_TIME, Outcome};
use crate::adapters::postgres::Errand;
use crate::config;
use letter::{Letter, compose};

type Smtp = AsyncSmtpTransport<Tokio1Executor>;

/// With the pauses between them, some five minutes.
const ATTEMPTS_FOR_AN_ADDRESS: i32 = 5;

/// How to send, for one run: its messages share connections.
pub(super) struct Mailer<'a> {
    config: &'a config::Email,
    /// None if the settings cannot be used after all.
    ready: Option<(Mailbox, Smtp)>,
}

impl<'a> Mailer<'a> {
    pub(super) fn new(config: &'a config::Email) -> Self {
        Self { config, ready: sender(config).zip(transport(config)) }
    }

    pub(super) async fn send(&self, errand: &Errand) -> Outcome {
        let Some(address) = &errand.email else {
            // The event that brings it may be on its way: Stripe keeps no order.
            return match errand.attempts {
                ..ATTEMPTS_FOR_AN_ADDRESS => Outcome::failed("no address yet"),
                _ => Outcome::Nobody("no address"),
            };
        };
        let Ok(address) = address.parse() else { return Outcome::Nobody("not an address") };
        let Some((from, smtp)) = &self.ready else {
            return Outcome::failed("SMTP_URL or EMAIL_FROM cannot be used");
        };
        let Some(letter) = compose(&errand.payload, self.config) else {
            return Outcome::failed("unknown template");
        };
        let Ok(message) = message(&errand.id, from, address, letter) else {
            return Outcome::Nobody("not an address");
        };
        match smtp.send(message).await {
            Ok(_) => Outcome::Heard,
            Err(error) if is_refusal(&error) => Outcome::Refused(problem(&error)),
            Err(error) => Outcome::failed(problem(&error)),
        }
    }
}

fn message(
    id: &str,
    from: &Mailbox,
    to: Address,
    letter: Letter,
) -> Result<Message, lettre::error::Error> {
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    Message::builder()
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(letter.subject)
        // Or somebody's absence notice answers it.
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
        .multipart(MultiPart::alternative_plain_html(letter.text, letter.html))
}

fn sender(config: &config::Email) -> Option<Mailbox> {
    let address = config.from.address.as_str().parse().ok()?;
    Some(Mailbox::new(config.from.name.clone(), address))
}

fn transport(config: &config::Email) -> Option<Smtp> {
    let url = encrypted(config.smtp_url.expose())?;
    let domain = config.from.address.as_str().rsplit_once('@')?.1.to_owned();
    let transport = Smtp::from_url(url.as_str()).ok()?;
    let pool = PoolConfig::new().max_size(BATCH.try_into().unwrap_or(u32::MAX));
    Some(
        transport
            .hello_name(ClientId::Domain(domain))
            .timeout(Some(DELIVERY_TIME))
            .pool_config(pool)
            .build(),
    )
}

/// With STARTTLS required where nothing else encrypts, but to this machine.
fn encrypted(url: &str) -> Option<Url> {
    let mut url = Url::parse(url).ok()?;
    if url.scheme() == "smtp" && !is_this_machine(&url) {
        url.set_query(Some("tls=required"));
    }
    Some(url)
}

fn is_this_machine(url: &Url) -> bool {
    // The host of a URL whose scheme is not the web's is a name, even where it looks like an address.
    let host = url.host_str().and_then(|host| Host::parse(host).ok());
    match host {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether there is no such mailbox, or none that takes this.
fn is_refusal(error: &lettre::transport::smtp::Error) -> bool {
    let code = error.status().map(|code| code.to_string());
    ["550", "551", "553"].iter().any(|refusal| code.as_deref() == Some(refusal))
}

/// Without the server's words: they may quote the address.
fn problem(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server said {code}"),
        None if error.is_timeout() => "no answer from the mail server in time".to_owned(),
        None => "no connection to the mail server".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_leaves_this_machine_encrypted_alone() {
        for (url, expected) in [
            ("smtp://me:pw@mail.example:587", "smtp://me:pw@mail.example:587?tls=required"),
            ("smtp://10.0.0.1", "smtp://10.0.0.1?tls=required"),
            ("smtp://127.0.0.1.example", "smtp://127.0.0.1.example?tls=required"),
            ("smtps://me:pw@mail.example", "smtps://me:pw@mail.example"),
            ("smtp://127.0.0.1:2525", "smtp://127.0.0.1:2525"),
            ("smtp://[::1]:2525", "smtp://[::1]:2525"),
            ("smtp://LocalHost:2525", "smtp://LocalHost:2525"),
        ] {
            assert_eq!(encrypted(url).unwrap().as_str(), expected);
        }
    }
}
