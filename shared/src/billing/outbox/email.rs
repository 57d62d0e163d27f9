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

/// An e-mail's body as text and as HTML. The HTML has the common frame.
macro_rules! template {
    ($name:literal) => {
        (
            include_str!(concat!("email/templates/", $name, ".txt")),
            concat!(
                include_str!("email/templates/frame_top.html"),
                include_str!(concat!("email/templates/", $name, ".html")),
                include_str!("email/templates/frame_bottom.html"),
            ),
        )
    };
}

/// Renders the e-mail of an outbox message to a user; none if its template is unknown.
pub fn render(
    payload: &Value,
    email: &config::Email,
    user_id: Option<&str>,
    now: Timestamp,
) -> Option<EmailMessage> {
    let subjects = &email.subjects;
    let (subject, (plain, html)) = match text(payload, "template")? {
        "receipt" => (&subjects.receipt, template!("receipt")),
        "payment_failed" => (&subjects.payment_failed, template!("payment_failed")),
        "trial_ending" => (&subjects.trial_ending, template!("trial_ending")),
        "canceled" => (&subjects.canceled, template!("canceled")),
        "limit_near" => (&subjects.limit_near, template!("limit_near")),
        "credits_used" => (&subjects.credits_used, template!("credits_used")),
        _ => return None,
    };
    let value = |name: &str| match name {
        "subject" => Some(subject.clone()),
        name => value(payload, email, name),
    };
    Some(EmailMessage {
        text: fill(plain, &value),
        html: fill(html, &|name| value(name).map(|value| escaped(&value))),
        plan_name: value("plan_name"),
        user_id: user_id.map(str::to_owned),
        subject: subject.clone(),
        sent_at: now,
    })
}

/// Returns the value of a name in a template, if it is known.
fn value(payload: &Value, email: &config::Email, name: &str) -> Option<String> {
    let value = match name {
        "product" => email.product_name.clone()?,
        "manage_url" => {
            let url = email.manage_url.as_ref()?;
            (payload["is_one_time"] != true).then(|| url.to_string())?
        }
        "amount" => money(integer(payload, "amount_minor")?, text(payload, "currency")?),
        "price" => match text(payload, "interval").and_then(each) {
            Some(each) => format!("{} {each}", value(payload, email, "amount")?),
            None => value(payload, email, "amount")?,
        },
        "next_attempt_at" | "trial_end" | "ended_at" | "resets_at" | "paid_at" | "period_start"
        | "period_end" => day(integer(payload, name)?)?,
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

/// Describes a price's interval.
fn each(interval: &str) -> Option<&'static str> {
    Some(match interval {
        "weekly" => "per week",
        "monthly" => "per month",
        "quarterly" => "every 3 months",
        "yearly" => "per year",
        _ => return None,
    })
}

/// Formats a date in UTC, such as `20 Nov 2026`.
fn day(seconds: i64) -> Option<String> {
    let moment = Timestamp::from_second(seconds).ok()?;
    Some(moment.strftime("%-d %b %Y").to_string())
}

/// Fills a template. Where all lines between two empty ones are omitted, one of the two is.
fn fill(template: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut lines: Vec<String> =
        template.lines().filter_map(|line| fill_line(line, value)).collect();
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    lines.join("\n").trim_end().to_owned() + "\n"
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
