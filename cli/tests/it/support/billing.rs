//! A customer's actions in a browser, and the resulting objects at Stripe.

use dev_services::mail::Message;
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};
use shared::domain::hash::hex;
use stripe_simulator::World;

use super::app::WEBHOOK_SECRET;
use super::{ApiResponse, Call, TestApp, until};

/// The button to press on the checkout page.
#[derive(Clone, Copy, Debug)]
pub enum Button {
    Pay,
    Declined,
    PaysLater,
    FailsLater,
    Approved,
}

impl Button {
    fn name(self) -> &'static str {
        match self {
            Self::Pay => "paid",
            Self::Declined => "declined",
            Self::PaysLater => "pays_later",
            Self::FailsLater => "fails_later",
            Self::Approved => "approved_3ds",
        }
    }
}

impl TestApp {
    /// A checkout request with that user's token.
    pub fn order(&self, user: &str, changes: Value) -> Call {
        let mut order = json!({
            "successUrl": "https://app.example/done?session={CHECKOUT_SESSION_ID}",
            "cancelUrl": "https://app.example/cancel",
        });
        for (name, value) in changes.as_object().unwrap() {
            order[name] = value.clone();
        }
        self.post("/api/stripe/create-checkout-session").bearer(&self.token(user)).json(order)
    }

    /// Creates a checkout session.
    pub async fn session(&self, user: &str, order: Value) -> Value {
        self.order(user, order).send().await.expect_status(200).body
    }

    /// Presses a button on the page of a session.
    pub async fn press(&self, session: &Value, button: Button) {
        press_button(session["url"].as_str().unwrap(), button).await;
    }

    /// Buys it, and waits until Farebox has received the webhooks.
    pub async fn buy(&self, user: &str, order: Value) -> Value {
        let session = self.session(user, order).await;
        self.press(&session, Button::Pay).await;
        self.simulator.delivered().await;
        session
    }

    pub async fn subscription(&self, user: &str) -> Value {
        let call = self.get("/api/subscription").bearer(&self.token(user));
        call.send().await.expect_status(200).body
    }

    pub async fn change(&self, user: &str, action: Value) -> ApiResponse {
        self.patch("/api/subscription").bearer(&self.token(user)).json(action).send().await
    }

    /// Advances the clocks (`14d`, `1mo`), and waits until the webhooks are delivered.
    pub async fn advance(&self, by: &str) {
        self.simulator.advance(by.parse().unwrap()).await.unwrap();
        self.simulator.delivered().await;
    }

    /// Calls Stripe's own API, bypassing Farebox; the form fields have Stripe's names.
    pub async fn ask_stripe(&self, method: &str, path: &str, form: &[(&str, &str)]) -> Value {
        let url = format!("{}{path}", self.simulator.base());
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = reqwest::Client::new().request(method.parse().unwrap(), url).body(body);
        let request = request.bearer_auth(&self.settings["STRIPE_SECRET_KEY"]);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        ApiResponse::of(request.send().await.unwrap()).await.expect_status(200).body
    }

    /// Sets this test card as the user's payment method from here on.
    pub async fn give_card(&self, user: &str, card: &str) {
        let id = self.subscription(user).await["subscription"]["id"].clone();
        let path = format!("/v1/subscriptions/{}", id.as_str().unwrap());
        let customer = self.ask_stripe("GET", &path, &[]).await["customer"].clone();
        let customer = [("customer", customer.as_str().unwrap())];
        let attach = format!("/v1/payment_methods/{card}/attach");
        let attached = self.ask_stripe("POST", &attach, &customer).await["id"].clone();
        let default = [("default_payment_method", attached.as_str().unwrap())];
        self.ask_stripe("POST", &path, &default).await;
        self.simulator.delivered().await;
    }

    /// Waits until the outbox messages of the webhooks are delivered. The job delivers those that
    /// were replaced during delivery.
    pub async fn deliver_outbox(&self) {
        let due = format!(
            "select count(*) from outbox where done_at is null and due_at <= '{}'",
            self.now()
        );
        until(async || {
            self.get("/api/cron/minute").cron().send().await.expect_status(200);
            self.count(&due).await == 0
        })
        .await;
    }

    /// Runs the minute job until the condition holds. A message that is replaced during its
    /// delivery is sent by the next run.
    pub async fn run_job_until(&self, is_so: impl Fn() -> bool) {
        until(async || {
            self.get("/api/cron/minute").cron().send().await.expect_status(200);
            is_so()
        })
        .await;
    }

    /// The first message with that subject; waits for it.
    pub async fn mail_about(&self, subject: &str) -> Message {
        let find = || self.mail.messages().into_iter().find(|message| message.subject == subject);
        self.run_job_until(|| find().is_some()).await;
        find().unwrap()
    }

    /// Drops all webhooks from here on.
    pub fn lose_webhooks(&self) {
        let mut switches = self.simulator.switches();
        switches.drop = true;
        self.simulator.set_switches(switches);
    }

    /// Sends an event to Farebox as Stripe would.
    pub async fn deliver(&self, event: &Value) -> ApiResponse {
        let body = event.to_string();
        let header = signature(&body, self.now());
        self.deliver_signed(&body, &header).await
    }

    pub async fn deliver_signed(&self, body: &str, header: &str) -> ApiResponse {
        let call = self.post("/api/stripe/webhook").header("stripe-signature", header);
        call.raw(body.to_owned()).send().await
    }

    /// The simulator's last event of that type.
    pub fn event(&self, kind: &str) -> Value {
        let events = self.at_stripe("event");
        events.into_iter().find(|event| event["type"] == kind).unwrap()
    }

    /// All objects of a kind at Stripe, the newest first.
    pub fn at_stripe(&self, kind: &str) -> Vec<Value> {
        self.simulator.read(|world: &World| world.all(kind).cloned().collect())
    }

    pub fn open_sessions(&self) -> usize {
        let sessions = self.at_stripe("checkout.session");
        sessions.iter().filter(|session| session["status"] == "open").count()
    }
}

/// The signature header with which Stripe would send that body at that time.
pub fn signature(body: &str, at: Timestamp) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, WEBHOOK_SECRET.as_bytes());
    let time = at.as_second();
    let signature = hmac::sign(&key, format!("{time}.{body}").as_bytes());
    format!("t={time},v1={}", hex(signature.as_ref()))
}

/// Presses a button on a checkout page of the simulator.
pub async fn press_button(page: &str, button: Button) {
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let browser = browser.build().unwrap();
    let html = browser.get(page).send().await.unwrap().text().await.unwrap();
    let (_, rest) = html.split_once("name=\"token\" value=\"").unwrap();
    let token = rest.split_once('"').unwrap().0;
    let form = [("token", token), ("outcome", button.name())];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let form = browser.post(page).body(body);
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let answer = form.send().await.unwrap();
    assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
}
