//! The simulator's home page and its actions.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use dev_pages::Notice;
use dev_pages::format::moment;
use jiff::Span;
use serde_json::{Value, json};

use crate::api::{Verb, request};
use crate::control::trigger;
use crate::fixtures::prices;
use crate::pages::fields::Fields;
use crate::pages::home::view::Home;
use crate::pages::{FormTarget, VerifiedForm, failed, message_page, object, page, see_other};
use crate::pages::{portal_login, promotions};
use crate::simulator::Simulator;
use crate::switches::Switches;
use crate::world::{World, text};

pub mod view;

const HOME: &str = "/simulator";

/// The number of objects of each kind that are listed.
const MAX_LISTED: usize = 30;

pub async fn get_home(State(simulator): State<Simulator>, RawQuery(query): RawQuery) -> Response {
    let asked = Fields::read(query.unwrap_or_default().as_bytes());
    let notice = done_message(&simulator, &asked).map(Notice::Success);
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
        subscriptions: latest(world, "subscription", |_| true)
            .map(|subscription| (plan_name(world, &subscription), subscription))
            .collect(),
        sessions: latest(world, "checkout.session", |one| one["status"] == "open").collect(),
        plans: prices::offers(world),
        promotions: promotions::usable(world),
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

/// The name of a subscription's product.
fn plan_name(world: &World, subscription: &Value) -> String {
    let product = &subscription["items"]["data"][0]["price"]["product"];
    text(&object(world, "product", product), "name").to_owned()
}

/// Describes the result of the last action, as the world shows it now.
fn done_message(simulator: &Simulator, asked: &Fields) -> Option<String> {
    let of = |kind: &str, name: &str, field: &str| {
        let id = asked.get(name).unwrap_or_default();
        let object = simulator.read(|world| object(world, kind, &json!(id)));
        object[field].as_str().map(str::to_owned)
    };
    Some(match asked.get("notice")? {
        "advanced" => {
            format!("The clock is now {}.", moment(simulator.read(World::now)))
        }
        "saved" if simulator.switches() == Switches::default() => {
            "Fault injection is off.".to_owned()
        }
        "saved" => "Fault injection is on, as set below.".to_owned(),
        "triggered" => format!("Triggered {}.", of("event", "event", "type")?),
        "resent" => format!("Sent {} again.", of("event", "event", "type")?),
        "promotion" => {
            format!("Promotion code {} created.", of("promotion_code", "code", "code")?)
        }
        _ => return None,
    })
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
        Ok(ids) => {
            let is_asked = |id: &&String| {
                simulator.read(|world| world.get(id).is_some_and(|one| text(one, "type") == event))
            };
            let id = ids.iter().find(is_asked).map(String::as_str).unwrap_or_default();
            done(&format!("triggered&event={id}"))
        }
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
    let event = fields.get("event").unwrap_or_default();
    match simulator.resend(event) {
        Ok(()) => done(&format!("resent&event={event}")),
        Err(error) => shown(&simulator, error.status, Some(failed(&error))),
    }
}

/// Creates a portal session for a customer, as the shop would, and opens its page.
pub async fn post_portal(
    State(simulator): State<Simulator>,
    VerifiedForm(fields): VerifiedForm,
) -> Response {
    let customer = fields.get("customer").unwrap_or_default();
    match simulator.change(|world| portal_login::open(world, customer)) {
        Ok(path) => see_other(&path),
        Err(error) => shown(&simulator, error.status, Some(failed(&error))),
    }
}

/// Creates a coupon that reduces one payment, and a promotion code for it.
pub async fn post_promotion(
    State(simulator): State<Simulator>,
    VerifiedForm(fields): VerifiedForm,
) -> Response {
    let made = simulator.change(|world| {
        let coupon = json!({
            "percent_off": fields.filled("percent_off").unwrap_or_default(), "duration": "once",
        });
        let coupon = request(world, Verb::Post, "/v1/coupons", coupon)?;
        let promotion = json!({ "type": "coupon", "coupon": coupon["id"] });
        let mut form = json!({ "promotion": promotion });
        if let Some(code) = fields.filled("code") {
            form["code"] = json!(code);
        }
        request(world, Verb::Post, "/v1/promotion_codes", form)
    });
    match made {
        Ok(code) => done(&format!("promotion&code={}", text(&code, "id"))),
        Err(error) => shown(&simulator, error.status, Some(failed(&error))),
    }
}
