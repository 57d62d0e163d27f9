//! The pages: checkout, invoice, billing portal, and the simulator's home page.
//!
//! They are server-rendered and work without scripts. Each page is a pure function in a `view`
//! module. Its parent module reads the page's data from the world and handles posted forms through
//! the API's routes. The pages make no decision about money. `dev_pages` has their look.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use dev_pages::{Link, Notice, response, with_links};
use maud::html;
use serde_json::Value;

use crate::error::StripeError;
use crate::pages::fields::Fields;
use crate::pages::layout::{SECTION, document};
use crate::simulator::Simulator;
use crate::world::{World, text};

pub mod authenticate;
pub mod checkout;
pub mod event;
pub mod fields;
pub mod home;
pub mod invoice;
pub mod layout;
pub mod portal;
pub mod portal_login;
pub mod promotions;
pub mod readable;

/// The links of a simulator that runs alone.
const LINKS: [Link; 1] = [Link { label: "Simulator", path: "/simulator" }];

/// More than the largest form needs.
const MAX_BODY_BYTES: usize = 16 * 1024;

pub fn router(simulator: Simulator) -> Router {
    let pages = Router::new()
        .route("/simulator", get(home::get_home))
        .route("/simulator/", get(async || see_other("/simulator")))
        .route("/simulator/act/advance", post(home::post_clock))
        .route("/simulator/act/switches", post(home::post_switches))
        .route("/simulator/act/trigger", post(home::post_trigger))
        .route("/simulator/act/checkout", post(home::post_checkout))
        .route("/simulator/act/resend", post(home::post_resend))
        .route("/simulator/act/portal", post(home::post_portal))
        .route("/simulator/act/promotion", post(home::post_promotion))
        .route(
            "/simulator/checkout/{id}",
            get(checkout::get_checkout).post(checkout::post_checkout),
        )
        .route("/simulator/checkout/{id}/authenticate", get(checkout::get_authentication))
        .route(
            "/simulator/authenticate/{id}",
            get(authenticate::get_authentication).post(authenticate::post_authentication),
        )
        .route("/simulator/invoice/{id}", get(invoice::get_invoice).post(invoice::post_invoice))
        .route("/simulator/invoice/{id}/print", get(invoice::get_printable_invoice))
        .route("/simulator/receipt/{id}", get(invoice::get_receipt))
        .route("/simulator/event/{id}", get(event::get_event))
        .route(
            portal_login::PATH,
            get(portal_login::get_portal_login).post(portal_login::post_portal_login),
        )
        .route("/simulator/portal/{id}", get(portal::get_portal).post(portal::post_portal))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(simulator);
    with_links(pages.merge(response::assets(&SECTION)), LINKS)
}

/// A form posted by one of our pages. It carries a token that a page of another site cannot know.
#[derive(Debug)]
pub struct VerifiedForm(Fields);

impl FromRequest<Simulator> for VerifiedForm {
    type Rejection = Response;

    async fn from_request(request: Request, simulator: &Simulator) -> Result<Self, Response> {
        let body = Bytes::from_request(request, simulator).await;
        let fields = Fields::read(&body.map_err(axum::response::IntoResponse::into_response)?);
        if fields.get(layout::TOKEN) == Some(simulator.page_token()) {
            return Ok(Self(fields));
        }
        let why = "The form is not from a page of this simulator run. Go back, reload the page and \
            try again.";
        Err(message_page(StatusCode::FORBIDDEN, "Form not accepted", why))
    }
}

/// The `form-action` policy of a page.
#[derive(Clone, Copy, Debug)]
pub enum FormTarget {
    ThisSite,
    /// Allows a return to the shop: browsers apply this policy to a redirect after a post, too.
    AnySite,
}

/// An HTML response.
pub fn page(status: StatusCode, html: String, leads: FormTarget) -> Response {
    let action = match leads {
        FormTarget::ThisSite => "form-action 'self'",
        FormTarget::AnySite => "form-action *",
    };
    response::page(status, html, action)
}

/// A page with a title and one message.
pub fn message_page(status: StatusCode, title: &str, what: &str) -> Response {
    page(status, document(title, None, &html! { p { (what) } }), FormTarget::ThisSite)
}

pub fn not_found(what: &str) -> Response {
    message_page(StatusCode::NOT_FOUND, "Not found", &format!("No {what} has this ID."))
}

/// The notice that shows an error at the top of a page.
pub fn failed(error: &StripeError) -> Notice {
    Notice::Failed(error.message().to_owned())
}

/// Redirects the browser, so that a reload does not post the form again.
pub fn see_other(url: &str) -> Response {
    // A URL with letters outside ASCII is encoded as browsers encode it.
    let location = HeaderValue::from_str(url).ok().or_else(|| {
        let parsed = url::Url::parse(url).ok()?;
        HeaderValue::from_str(parsed.as_str()).ok()
    });
    match location {
        Some(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        None => message_page(StatusCode::OK, "Done", "The shop's return URL is not a valid URL."),
    }
}

/// The object of a kind; null if there is none.
pub fn object(world: &World, kind: &str, id: &Value) -> Value {
    let id = id.as_str().unwrap_or_default();
    world.find(kind, id, "id").cloned().unwrap_or_default()
}

/// A payment method's label: `visa ending in 4242`.
pub fn card(world: &World, method: Option<&str>) -> Option<String> {
    let card = &world.get(method?)?["card"];
    card.is_object().then(|| format!("{} ending in {}", text(card, "brand"), text(card, "last4")))
}
