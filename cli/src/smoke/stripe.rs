//! Pays for the plan: through Stripe's API in test mode, or on the simulator's checkout page.
//!
//! Stripe's own checkout page cannot be completed by a program. With a key, the story therefore
//! subscribes the session's customer with a test card, so that Stripe sends the same webhooks.

use std::sync::Arc;

use axum::http::Method;
use serde_json::Value;
use shared::adapters::http_client::HttpClient;
use shared::adapters::stripe::{Stripe, StripeError};
use shared::config;
use shared::domain::hash::sha256_hex;
use stripe_client_core::{RequestBuilder, StripeMethod};
use url::form_urlencoded::Serializer;

use super::client::Answer;
use super::diagnosis::REPORT;
use super::purchase::{Session, WEBHOOK};
use super::story::{StepResult, Story, Unpassed, failed, skipped};
use super::{Options, StripeAccess};

const TEST_CARD: &str = "pm_card_visa";

impl Story<'_> {
    pub(super) async fn pay(&mut self) -> StepResult {
        let Some(session) = self.session.clone() else {
            return Err(skipped("no checkout session is open"));
        };
        let found = match client(self.options)? {
            Some(stripe) => self.subscribe(&stripe, &session).await?,
            None if session.is_simulated() => self.pay_on_page(&session).await?,
            None => {
                return Err(skipped(
                    "Stripe's checkout page cannot be paid by a program; with STRIPE_SECRET_KEY of \
                     the test mode, the story subscribes through Stripe's API",
                ));
            }
        };
        self.is_paid = true;
        Ok(found)
    }

    /// Subscribes the session's customer to the session's price.
    async fn subscribe(&mut self, stripe: &Stripe, session: &Session) -> StepResult {
        let path = format!("/checkout/sessions/{}", session.id);
        let open = send(stripe, StripeMethod::Get, &path, &[]).await.map_err(|error| {
            let fix = "Use a key of the Stripe account and mode of the deployment. A restricted key \
                       must be allowed to read Checkout Sessions.";
            failed(error.in_words(), fix)
        })?;
        let items = send(stripe, StripeMethod::Get, &format!("{path}/line_items"), &[]).await;
        let items = items.map_err(refused)?;
        let customer = open["customer"].as_str();
        let (Some(customer), Some(price)) = (customer, items["data"][0]["price"]["id"].as_str())
        else {
            return Err(failed("the session has no customer or no price", REPORT));
        };
        let attach = format!("/payment_methods/{TEST_CARD}/attach");
        let card = send(stripe, StripeMethod::Post, &attach, &[("customer", customer)]).await;
        let card = card.map_err(refused)?;
        let form = [
            ("customer", customer),
            ("items[0][price]", price),
            ("items[0][quantity]", "1"),
            ("default_payment_method", card["id"].as_str().unwrap_or(TEST_CARD)),
            ("payment_behavior", "error_if_incomplete"),
            ("metadata[userId]", &self.user),
        ];
        let made = send(stripe, StripeMethod::Post, "/subscriptions", &form).await;
        let made = made.map_err(refused)?;
        self.subscription = made["id"].as_str().map(str::to_owned);
        Ok(format!("Stripe has the subscription {}", made["id"].as_str().unwrap_or_default()))
    }

    /// Presses "Pay" on the simulator's page, as a browser does.
    async fn pay_on_page(&self, session: &Session) -> StepResult {
        let url = session.url.as_str();
        let page = self.client.send(Method::GET, url, std::iter::empty(), String::new()).await?;
        let token = page.text.split_once("name=\"token\" value=\"");
        let Some(token) = token.and_then(|(_, rest)| rest.split('"').next()) else {
            return Err(no_page(&page));
        };
        let form = [("token", token), ("outcome", "paid")];
        let form = Serializer::new(String::new()).extend_pairs(form).finish();
        let kind = [("content-type", "application/x-www-form-urlencoded")].into_iter();
        let paid = self.client.send(Method::POST, url, kind, form).await?;
        if paid.status == 303 {
            Ok("paid on the simulator's page".to_owned())
        } else {
            Err(no_page(&paid))
        }
    }

    /// Cancels the subscription that this story created.
    pub(super) async fn cancel_at_stripe(&self) -> Result<(), Unpassed> {
        let (Some(subscription), Some(stripe)) = (&self.subscription, client(self.options)?) else {
            return Ok(());
        };
        let path = format!("/subscriptions/{subscription}");
        send(&stripe, StripeMethod::Delete, &path, &[]).await.map(drop).map_err(|error| {
            let fix = format!("Cancel {subscription} in the Stripe Dashboard, in test mode.");
            failed(error.in_words(), fix)
        })
    }

    /// Looks for this deployment among the account's webhook endpoints. Returns the problem, if one
    /// can be seen: a key need not be allowed to read the endpoints.
    pub(super) async fn endpoint_problem(&self) -> Option<String> {
        let stripe = client(self.options).ok()??;
        let list = send(&stripe, StripeMethod::Get, "/webhook_endpoints?limit=100", &[]).await;
        let list = list.ok()?;
        let endpoints = list["data"].as_array()?;
        let url_of = |endpoint: &Value| endpoint["url"].as_str().unwrap_or_default().to_owned();
        let paths = [WEBHOOK, "/api/webhooks/stripe"];
        let own = paths.map(|path| format!("{}{path}", self.client.base));
        let ours = endpoints
            .iter()
            .find(|endpoint| own.iter().any(|own| url_of(endpoint).split('?').next() == Some(own)));
        match ours {
            Some(endpoint) if endpoint["status"] == "disabled" => {
                Some(format!("Enable the webhook endpoint {} at Stripe.", url_of(endpoint)))
            }
            // The simulator does not list its own target.
            None if endpoints.is_empty() && self.options.has_own_stripe() => None,
            None => {
                let all: Vec<_> = endpoints.iter().map(url_of).collect();
                let has = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
                Some(format!(
                    "Stripe's test mode has no webhook endpoint {}; it has {has}. Create it as in \
                     docs/SETUP.md, section 5.",
                    own[0]
                ))
            }
            Some(_) => None,
        }
    }
}

/// The client of the options' Stripe account, if they have one.
fn client(options: &Options) -> Result<Option<Stripe>, Unpassed> {
    let Some(StripeAccess { secret_key, api_url }) = &options.stripe else { return Ok(None) };
    let config = config::Stripe::from_vars(|name| match name {
        "STRIPE_SECRET_KEY" => Some(secret_key.expose().to_owned()),
        "STRIPE_API_URL" => api_url.clone(),
        _ => None,
    });
    let config = config.map_err(|error| failed(error.to_string(), "Correct the setting."))?;
    Stripe::new(Arc::new(HttpClient::default()), &config).map(Some).map_err(refused)
}

/// Sends a request. A change is made once however often it is repeated, because its form names the
/// customer of this story.
async fn send(
    stripe: &Stripe,
    method: StripeMethod,
    path: &str,
    form: &[(&str, &str)],
) -> Result<Value, StripeError> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut request = RequestBuilder::new(method, path);
    if !query.is_empty() {
        request.query = Some(query.to_owned());
    }
    if form.is_empty() {
        return Ok(stripe.send(&request).await?.object);
    }
    let body = Serializer::new(String::new()).extend_pairs(form).finish();
    let key = sha256_hex([path, body.as_str()]);
    request.body = Some(body);
    Ok(stripe.send_idempotent(&request, &key).await?.object)
}

fn refused(error: StripeError) -> Unpassed {
    let fix = "A restricted key needs write permission for Customers, Payment Methods and \
               Subscriptions, and read permission for Checkout Sessions.";
    failed(error.in_words(), fix)
}

fn no_page(answer: &Answer) -> Unpassed {
    let fix = "Open the page in a browser: the simulator shows why it does not accept the payment.";
    failed(format!("the simulator's page answers {}", answer.status), fix)
}
