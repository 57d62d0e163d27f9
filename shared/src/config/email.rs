use url::Url;

use super::Secret;
use super::parse::{self, Reader};
use crate::domain;

/// The settings of e-mails to users.
#[derive(Clone, Debug)]
pub struct Email {
    /// `smtps://`, or `smtp://` with STARTTLS. Only this machine is reached without encryption.
    pub smtp_url: Secret,
    pub from: Sender,
    pub subjects: Subjects,
    /// The name at the top and the bottom of e-mails.
    pub product_name: Option<String>,
    /// The page where users manage or cancel their subscription.
    pub manage_url: Option<Url>,
}

#[derive(Clone, Debug)]
pub struct Sender {
    pub name: Option<String>,
    pub address: domain::Email,
}

#[derive(Clone, Debug)]
pub struct Subjects {
    pub receipt: String,
    pub payment_failed: String,
    pub trial_ending: String,
    pub canceled: String,
    pub limit_near: String,
    pub credits_used: String,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Email> {
    let smtp_url = reader.parsed("SMTP_URL", parse::smtp_url);
    let from = match &smtp_url {
        Some(_) => reader.required("EMAIL_FROM", parse::sender),
        None => reader.parsed("EMAIL_FROM", parse::sender),
    };
    let mut subject = |name, default: &str| {
        reader.parsed(name, parse::line).unwrap_or_else(|| default.to_owned())
    };
    let subjects = Subjects {
        receipt: subject("EMAIL_SUBJECT_RECEIPT", "Your receipt"),
        payment_failed: subject("EMAIL_SUBJECT_PAYMENT_FAILED", "Your payment did not go through"),
        trial_ending: subject("EMAIL_SUBJECT_TRIAL_ENDING", "Your trial ends soon"),
        canceled: subject("EMAIL_SUBJECT_CANCELED", "Your subscription has ended"),
        limit_near: subject("EMAIL_SUBJECT_LIMIT_NEAR", "How much you have used"),
        credits_used: subject("EMAIL_SUBJECT_CREDITS_USED", "Your credits are running out"),
    };
    let product_name = reader.parsed("EMAIL_PRODUCT_NAME", parse::line);
    let manage_url = reader.parsed("EMAIL_MANAGE_URL", parse::http_url);
    let from = from?;
    let product_name = product_name.or_else(|| from.name.clone());
    Some(Email { smtp_url: smtp_url?, from, subjects, product_name, manage_url })
}
