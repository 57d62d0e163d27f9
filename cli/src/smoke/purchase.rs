//! The steps of the purchase: choose a plan, open a checkout, pay, and wait for Stripe's webhook.

use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};
use tokio::time::sleep;
use url::Url;

use super::basics::word;
use super::client::Call;
use super::diagnosis::is_protected;
use super::story::{StepResult, Story, failed, skipped};
use crate::terminal::count;

/// The pause between two looks at the entitlements.
const POLL: Duration = Duration::from_millis(500);

pub(super) const WEBHOOK: &str = "/api/stripe/webhook";

/// The plan to buy.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) plan: String,
    interval: String,
    amount_minor: i64,
    currency: String,
}

/// The open checkout session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) id: String,
    /// The page where the user pays.
    pub(super) url: String,
}

impl Session {
    /// True if the page is the simulator's, which a program can pay.
    pub(super) fn is_simulated(&self) -> bool {
        self.url.contains("/simulator/checkout/")
    }
}

impl Story<'_> {
    /// Chooses the plan of the options, or the cheapest one.
    pub(super) async fn choose_plan(&mut self) -> StepResult {
        let answer = self.client.call(Method::GET, "/api/plans", Call::default()).await?;
        let catalog = answer.expect(200)?;
        let plans = catalog["plans"].as_array().cloned().unwrap_or_default();
        if plans.is_empty() {
            let fix = "Publish a catalog: `farebox catalog push FILE`.";
            return Err(failed("no catalog is published, so nothing is sold", fix));
        }
        let is_wanted =
            |offer: &Offer| self.options.plan.as_ref().is_none_or(|plan| *plan == offer.plan);
        let offers: Vec<Offer> = plans.iter().flat_map(offers).collect();
        let chosen = offers.iter().filter(|offer| is_wanted(offer));
        let Some(chosen) = chosen.min_by_key(|offer| offer.amount_minor) else {
            let Some(plan) = &self.options.plan else {
                return Err(skipped("no plan has a price"));
            };
            let mut keys: Vec<&str> = offers.iter().map(|offer| offer.plan.as_str()).collect();
            keys.dedup();
            let fix = format!("Pass one of these as --plan: {}.", keys.join(", "));
            return Err(failed(format!("no plan {plan} with a price is on sale"), fix));
        };
        self.offer = Some(chosen.clone());
        let Offer { plan, interval, amount_minor, currency } = chosen;
        let price = dev_pages::format::money(*amount_minor, currency);
        let all = count(plans.len() as u64, "plan");
        Ok(format!("{all}; {plan}, {interval}, costs {price}"))
    }

    pub(super) async fn create_session(&mut self) -> StepResult {
        let Some(offer) = &self.offer else { return Err(skipped("no plan is chosen")) };
        let origin =
            self.options.origin.clone().or_else(|| {
                Some(Url::parse(&self.client.base).ok()?.origin().ascii_serialization())
            });
        let origin = origin.unwrap_or_default();
        let order = json!({
            "tier": offer.plan,
            "interval": offer.interval,
            "successUrl": format!("{origin}/?session={{CHECKOUT_SESSION_ID}}"),
            "cancelUrl": format!("{origin}/"),
        });
        let path = "/api/stripe/create-checkout-session";
        let session = self.call_for_user(Method::POST, path, Some(&order), None).await?;
        let detail = session.body["detail"].as_str().unwrap_or_default();
        if self.options.origin.is_none() && detail.contains("ALLOWED_ORIGINS") {
            let why = "no origin of the deployment's pages is given. Set ALLOWED_ORIGINS, or pass --origin";
            return Err(skipped(why));
        }
        let session = session.expect(200)?;
        let (id, url) = (word(&session, "sessionId"), word(&session, "url"));
        if id.starts_with("cs_live_") {
            let fix = "Nothing is bought in live mode. Set the deployment's STRIPE_SECRET_KEY to a \
                       test-mode key, or try a deployment that has one.";
            return Err(failed("the deployment uses Stripe's live mode", fix));
        }
        self.session = Some(Session { id: id.to_owned(), url: url.to_owned() });
        Ok(format!("the session {id} is open"))
    }

    /// Waits until the entitlements show the plan. Only webhooks bring it: this story never calls the
    /// route of the success page, which would fetch the session from Stripe.
    pub(super) async fn wait_for_webhook(&mut self) -> StepResult {
        let (Some(offer), true) = (&self.offer, self.is_paid) else {
            return Err(skipped("nothing was paid"));
        };
        let (plan, limit, started) =
            (offer.plan.clone(), self.options.webhook_wait, Instant::now());
        let last = loop {
            let last = self.fetch_entitlements().await;
            if last.as_ref().is_ok_and(|found| shows(found, &plan)) {
                self.has_plan = true;
                return Ok(format!("the plan {plan} arrived after {:.1?}", started.elapsed()));
            }
            if started.elapsed() >= limit {
                break last;
            }
            sleep(POLL).await;
        };
        last?;
        let found = format!("the plan {plan} did not arrive within {limit:?} of the payment");
        Err(failed(found, self.find_lost_webhook().await))
    }

    /// Finds out why Stripe's webhook did not arrive.
    async fn find_lost_webhook(&self) -> String {
        let call = Call {
            stripe_signature: Some(""),
            body: Some(&Value::Null),
            is_from_outside: true,
            ..Call::default()
        };
        let probe = self.client.call(Method::POST, WEBHOOK, call).await;
        if probe.is_ok_and(|answer| is_protected(&answer)) {
            return format!(
                "Vercel's deployment protection blocks Stripe: turn it off for this deployment, or \
                 append ?x-vercel-protection-bypass=SECRET to {}{WEBHOOK} at Stripe.",
                self.client.base
            );
        }
        let paid_on_page = self.session.as_ref().filter(|_| self.subscription.is_none());
        if let Some(session) = paid_on_page.filter(|session| session.is_simulated()) {
            let simulator = session.url.split("/checkout/").next().unwrap_or_default();
            return format!(
                "{simulator} shows each event with its deliveries, and the switch that drops them."
            );
        }
        if let Some(problem) = self.endpoint_problem().await {
            return problem;
        }
        "At Stripe, open the event deliveries of the webhook endpoint. No delivery: the URL or the \
         mode is wrong, or the event is not selected. 400: STRIPE_WEBHOOK_SECRET is another \
         endpoint's secret. 401 with a web page: Vercel's deployment protection. 200: run `farebox \
         webhooks list`."
            .to_owned()
    }
}

/// True if the entitlements have that plan, by a subscription that counts.
pub(super) fn shows(entitlements: &Value, plan: &str) -> bool {
    entitlements["plan"] == plan
        && ["active", "trialing"].iter().any(|status| entitlements["status"] == *status)
}

/// Every price of a plan that costs something.
fn offers(plan: &Value) -> Vec<Offer> {
    let prices = plan["prices"].as_array().map(Vec::as_slice).unwrap_or_default();
    let offer = |price: &Value| {
        Some(Offer {
            plan: plan["key"].as_str()?.to_owned(),
            interval: price["interval"].as_str()?.to_owned(),
            amount_minor: price["amountMinor"].as_i64().filter(|amount| *amount > 0)?,
            currency: price["currency"].as_str()?.to_owned(),
        })
    };
    prices.iter().filter_map(offer).collect()
}
