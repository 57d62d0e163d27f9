//! Renders e-mails from templates.
//!
//! A template line with an unknown value is omitted. A value cannot become markup or a header, and
//! a link must be an HTTPS URL or a local one.

use jiff::Timestamp;
use serde_json::Value;

use crate::adapters::smtp::EmailMessage;
use crate::config;
use crate::domain::money;
use crate::domain::object::{integer, text};

/// The maximum length of a value. Stripe's names and URLs are shorter.
const MAX_CHARS: usize = 2_000;

/// Renders the e-mail of an outbox message; none if its template is unknown.
pub fn render(payload: &Value, email: &config::Email) -> Option<EmailMessage> {
    let subjects = &email.subjects;
    let (subject, plain, html) = match text(payload, "template")? {
        "receipt" => (
            &subjects.receipt,
            include_str!("email/templates/receipt.txt"),
            include_str!("email/templates/receipt.html"),
        ),
        "payment_failed" => (
            &subjects.payment_failed,
            include_str!("email/templates/payment_failed.txt"),
            include_str!("email/templates/payment_failed.html"),
        ),
        "trial_ending" => (
            &subjects.trial_ending,
            include_str!("email/templates/trial_ending.txt"),
            include_str!("email/templates/trial_ending.html"),
        ),
        "canceled" => (
            &subjects.canceled,
            include_str!("email/templates/canceled.txt"),
            include_str!("email/templates/canceled.html"),
        ),
        "limit_near" => (
            &subjects.limit_near,
            include_str!("email/templates/limit_near.txt"),
            include_str!("email/templates/limit_near.html"),
        ),
        "credits_used" => (
            &subjects.credits_used,
            include_str!("email/templates/credits_used.txt"),
            include_str!("email/templates/credits_used.html"),
        ),
        _ => return None,
    };
    let value = |name: &str| value(payload, email, name);
    Some(EmailMessage {
        subject: subject.clone(),
        text: fill(plain, &value),
        html: fill(html, &|name| value(name).map(|value| escaped(&value))),
    })
}

/// Returns the value of a name in a template, if it is known.
fn value(payload: &Value, email: &config::Email, name: &str) -> Option<String> {
    let value = match name {
        "product" => email.product_name.clone()?,
        "amount" => money(integer(payload, "amount_minor")?, text(payload, "currency")?),
        "next_attempt_at" | "trial_end" | "ended_at" | "resets_at" => day(integer(payload, name)?)?,
        "percent" | "used" | "limit" | "balance" => integer(payload, name)?.to_string(),
        "hosted_url" | "pdf_url" => text(payload, name)
            .filter(|url| url.starts_with("https://") || is_local(url))?
            .to_owned(),
        name => text(payload, name)?.to_owned(),
    };
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    Some(value.chars().map(plain).take(MAX_CHARS).collect())
}

/// Returns whether a URL is local, as those of the Stripe simulator's pages are.
fn is_local(url: &str) -> bool {
    url.starts_with("http://127.0.0.1:") || url.starts_with("http://localhost:")
}

/// Formats a date in UTC, such as `20 November 2026`.
fn day(seconds: i64) -> Option<String> {
    let moment = Timestamp::from_second(seconds).ok()?;
    Some(moment.strftime("%-d %B %Y").to_string())
}

fn fill(template: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let lines = template.lines().filter_map(|line| fill_line(line, value));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn fill_line(line: &str, value: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut filled = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        filled.push_str(before);
        filled.push_str(&value(name)?);
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests;
