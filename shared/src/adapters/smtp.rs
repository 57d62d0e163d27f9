//! Sends e-mails over SMTP.
//!
//! A retried message keeps its Message-ID, so that a mail client can recognise a duplicate.

use std::time::Duration;

use jiff::Timestamp;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use url::{Host, Url};

use crate::config;

type Smtp = AsyncSmtpTransport<Tokio1Executor>;

/// An e-mail, ready to be sent.
#[derive(Debug)]
pub struct EmailMessage {
    pub subject: String,
    pub text: String,
    pub html: String,
    /// The app's id of the user, and the plan or credit pack that the e-mail is about. Headers carry
    /// them, so that support and filters find a user's messages.
    pub user_id: Option<String>,
    pub plan_name: Option<String>,
    pub sent_at: Timestamp,
}

/// Why a message was not sent. The problem contains no personal data.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    #[error("not an e-mail address")]
    NotAnAddress,
    /// The server rejected the recipient: the mailbox does not exist or does not accept the
    /// message.
    #[error("{0}")]
    Rejected(String),
    #[error("{0}")]
    Failed(String),
}

/// Sends the messages of one run over shared connections.
#[derive(Debug)]
pub struct Mailer {
    /// None if the settings are invalid.
    ready: Option<(Mailbox, Smtp)>,
}

impl Mailer {
    /// Creates a mailer with at most `connections`, and with `time` as the limit of each step.
    pub fn new(config: &config::Email, connections: u32, time: Duration) -> Self {
        Self { ready: sender(config).zip(transport(config, connections, time)) }
    }

    /// Sends a message to one address. A retry must use the same id.
    pub async fn send(&self, id: &str, to: &str, email: EmailMessage) -> Result<(), SmtpError> {
        let to = to.parse().map_err(|_| SmtpError::NotAnAddress)?;
        let Some((from, smtp)) = &self.ready else {
            return Err(SmtpError::Failed("SMTP_URL or EMAIL_FROM is invalid".to_owned()));
        };
        let message = message(id, from, to, email).map_err(|_| SmtpError::NotAnAddress)?;
        match smtp.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if is_rejection(&error) => Err(SmtpError::Rejected(problem(&error))),
            Err(error) => Err(SmtpError::Failed(problem(&error))),
        }
    }
}

fn message(
    id: &str,
    from: &Mailbox,
    to: Address,
    email: EmailMessage,
) -> Result<Message, lettre::error::Error> {
    // Prevents automatic replies, such as absence notices.
    let automatic = Some("auto-generated".to_owned());
    let headers = [
        (HeaderName::new_from_ascii_str("Auto-Submitted"), automatic),
        (HeaderName::new_from_ascii_str("X-Farebox-User-Id"), email.user_id),
        (HeaderName::new_from_ascii_str("X-Farebox-Plan"), email.plan_name),
    ];
    let mut message = Message::builder()
        .date(email.sent_at.into())
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(email.subject);
    for (name, value) in headers {
        if let Some(value) = value {
            message = message.raw_header(HeaderValue::new(name, value));
        }
    }
    message.multipart(MultiPart::alternative_plain_html(email.text, email.html))
}

fn sender(config: &config::Email) -> Option<Mailbox> {
    let address = config.from.address.as_str().parse().ok()?;
    Some(Mailbox::new(config.from.name.clone(), address))
}

fn transport(config: &config::Email, connections: u32, time: Duration) -> Option<Smtp> {
    let url = encrypted(config.smtp_url.expose())?;
    let domain = config.from.address.as_str().rsplit_once('@')?.1.to_owned();
    let transport = Smtp::from_url(url.as_str()).ok()?;
    let pool = PoolConfig::new().max_size(connections);
    Some(
        transport
            .hello_name(ClientId::Domain(domain))
            .timeout(Some(time))
            .pool_config(pool)
            .build(),
    )
}

/// Requires STARTTLS for an unencrypted connection to another machine.
fn encrypted(url: &str) -> Option<Url> {
    let mut url = Url::parse(url).ok()?;
    if url.scheme() == "smtp" && !is_this_machine(&url) {
        url.set_query(Some("tls=required"));
    }
    Some(url)
}

fn is_this_machine(url: &Url) -> bool {
    // `Url` parses the host of a scheme other than HTTP as a name, even if it is an IP address.
    let host = url.host_str().and_then(|host| Host::parse(host).ok());
    match host {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Returns whether the server rejected the recipient for good.
fn is_rejection(error: &lettre::transport::smtp::Error) -> bool {
    let code = error.status().map(|code| code.to_string());
    ["550", "551", "553"].iter().any(|rejected| code.as_deref() == Some(rejected))
}

/// Describes an error without the server's message, which may contain the address.
fn problem(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None if error.is_timeout() => "no answer from the mail server in time".to_owned(),
        None => "no connection to the mail server".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_leaves_this_machine_only_encrypted() {
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
