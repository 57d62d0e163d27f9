//! The simulator's home page and its actions.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Span;
use serde_json::{Value, json};

use crate::api::{Verb, request};
use crate::control::trigger;
use crate::fixtures::prices;
use crate::pages::home::view::Home;
use crate::pages::layout::Notice;
use crate::pages::{FormTarget, VerifiedForm, failed, message_page, page, see_other};
use crate::simulator::Simulator;
use crate::switches::Switches;
use crate::world::{World, text};

pub mod view;

const HOME: &str = "/simulator";

/// The number of objects of each kind that are listed.
const MAX_LISTED: usize = 30;

pub async fn get_home(State(simulator): State<Simulator>, RawQuery(query): RawQuery) -> Response {
    let notice = query.as_deref().and_then(notice_message);
    let notice = notice.map(|message| Notice::Success(message.to_owned()));
    shown(&simulator, StatusCode::OK, notice)
}

fn shown(simulator: &Simulator, status: StatusCode, notice: Option<Notice>) -> Response {
    page(status, view::page(&known(simulator), notice), FormTarget::ThisSite)
}

fn known(simulator: &Simulator) -> Home {
    let mut home = simulator.read(|world| Home {
        now: world.now(),
        switches: Switches::default(),
        events: latest(world, "event", |_| true).map(|event| (event, Vec::new())).collect(),
        customers: latest(world, "customer", |one| one["deleted"] != true).collect(),
        subscriptions: latest(world, "subscription", |_| true).collect(),
        sessions: latest(world, "checkout.session", |one| one["status"] == "open").collect(),
        plans: prices::offers(world),
        token: simulator.page_token().to_owned(),
    });
    home.switches = simulator.switches();
    for (event, attempts) in &mut home.events {
        *attempts = simulator.attempts(text(event, "id"));
    }
    home
}

fn latest(
    world: &World,
    kind: &str,
    shown: impl Fn(&Value) -> bool,
) -> impl Iterator<Item = Value> {
    world.all(kind).filter(move |one| shown(one)).take(MAX_LISTED).cloned()
}

fn done(notice: &str) -> Response {
    see_other(&format!("{HOME}?notice={notice}"))
}

/// The message for the query that `done` redirects to.
fn notice_message(query: &str) -> Option<&'static str> {
    match query {
        "notice=advanced" => Some("Clock advanced."),
        "notice=saved" => Some("Fault injection saved."),
        "notice=triggered" => Some("Event triggered."),
        "notice=resent" => Some("Event resent."),
        _ => None,
    }
}

pub async fn post_clock(
    State(simulator): State<Simulator>,
    VerifiedForm(fields): VerifiedForm,
) -> Response {
    let Ok(by) = fields.get("by").unwrap_or_default().parse::<Span>() else {
        return message_page(StatusCode::BAD_REQUEST, "Invalid duration", "Use for example 1mo.");
    };
    match simulator.advance(by).await {
        Ok(_) => done("advanced"),
        Err(error) => {
            shown(&simulator, StatusCode::BAD_REQUEST, Some(Notice::Failed(error.to_string())))
        }
    }
}

pub async fn post_switches(
    State(simulator): State<Simulator>,
    VerifiedForm(fields): VerifiedForm,
) -> Response {
    let on = |name: &str| fields.get(name) == Some("on");
    let mut switches = Switches {
        duplicate: on("duplicate"),
        reorder: on("reorder"),
        same_second: on("same_second"),
        drop: on("drop"),
        unpaid: on("unpaid"),
        ..Switches::default()
    };
    for name in ["delay_seconds", "answer_after_ms"] {
        let Some(typed) = fields.filled(name) else { continue };
        let value = typed.parse().map_or_else(|_| json!(typed), |number: u64| json!(number));
        if let Err(why) = switches.set(name, &value) {
            return shown(&simulator, StatusCode::BAD_REQUEST, Some(Notice::Failed(why)));
        }
    }
    simulator.set_switches(switches);
    done("saved")
}

pub async fn post_trigger(
    State(simulator): State<Simulator>,
    VerifiedForm(fields): VerifiedForm,
) -> Response {
    let event = fields.get("event").unwrap_or_default();
    let (user, plan) = (fields.filled("user"), fields.filled("plan"));
    match simulator.change(|world| trigger::trigger(world, event, user, plan)) {
        Ok(_) => done("triggered"),
        Err(error) => shown(&simulator, error.status, Some(failed(&error))),
    }
}

/// Creates a checkout session, as the shop would, and opens its page.
pub async fn post_checkout(
    State(simulator): State<Simulator>,
    VerifiedForm(fields): VerifiedForm,
) -> Response {
    let (user, plan) = (fields.filled("user"), fields.filled("plan"));
    match simulator.change(|world| trigger::open_session(world, user, plan)) {
        Ok(session) => see_other(&format!("/simulator/checkout/{session}")),
        Err(error) => shown(&simulator, error.status, Some(failed(&error))),
    }
}

pub async fn post_resend(
    State(simulator): State<Simulator>,
    VerifiedForm(fields): VerifiedForm,
) -> Response {
    match simulator.resend(fields.get("event").unwrap_or_default()) {
        Ok(()) => done("resent"),
        Err(error) => shown(&simulator, error.status, Some(failed(&error))),
    }
}

/// Creates a portal session for a customer, as the shop would, and opens its page.
pub async fn post_portal(
    State(simulator): State<Simulator>,
    VerifiedForm(fields): VerifiedForm,
) -> Response {
    let customer = fields.get("customer").unwrap_or_default();
    let made = simulator.change(|world| {
        let home = format!("{}{HOME}", world.base());
        let form = json!({ "customer": customer, "return_url": home });
        request(world, Verb::Post, "/v1/billing_portal/sessions", form)
    });
    match made {
        Ok(session) => see_other(&format!("/simulator/portal/{}", text(&session, "id"))),
        Err(error) => shown(&simulator, error.status, Some(failed(&error))),
    }
}
