//! Stripe's API as plain functions over the world. Each resource's file has a table of its routes.
//!
//! HTTP is handled in `server/v1.rs`: authentication, idempotency, responses and errors.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::api::expand::Expansions;
use crate::api::form::Node;
use crate::api::params::Params;
use crate::error::StripeError;
use crate::world::World;

pub mod account;
pub mod charges;
pub mod checkout_sessions;
pub mod coupons;
pub mod customer_balance;
pub mod customers;
pub mod discounts;
pub mod disputes;
pub mod events;
pub mod expand;
pub mod form;
pub mod idempotency;
pub mod includes;
pub mod invoices;
pub mod list;
pub mod metadata;
pub mod params;
pub mod payment_intents;
pub mod payment_methods;
pub mod portal;
pub mod price_terms;
pub mod prices;
pub mod products;
pub mod promotion_codes;
pub mod refunds;
pub mod search;
pub mod setup_intents;
pub mod subscription_schedules;
pub mod subscriptions;
pub mod webhook_endpoints;

/// One operation of the API.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub verb: Verb,
    /// The path pattern, such as `/v1/subscriptions/{id}/resume`.
    pub path: &'static str,
    pub run: Run,
}

/// The function of a route. It checks everything before it changes the world, so that a refused
/// request changes nothing.
pub type Run = fn(&mut World, &Call) -> Result<Value, StripeError>;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    Get,
    Post,
    Delete,
}

impl Verb {
    pub fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET => Some(Self::Get),
            Method::POST => Some(Self::Post),
            Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

impl Route {
    pub const fn get(path: &'static str, run: Run) -> Self {
        Self { verb: Verb::Get, path, run }
    }

    pub const fn post(path: &'static str, run: Run) -> Self {
        Self { verb: Verb::Post, path, run }
    }

    pub const fn delete(path: &'static str, run: Run) -> Self {
        Self { verb: Verb::Delete, path, run }
    }
}

/// The input of a route.
#[derive(Clone, Debug)]
pub struct Call {
    /// The values of the path's parameters, by name.
    path: Vec<(&'static str, String)>,
    pub form: Params,
    /// The public URL of this server, for links to pages, without a trailing slash.
    pub base: String,
}

impl Call {
    /// The value of the path's `{id}`.
    pub fn id(&self) -> &str {
        self.at("id")
    }

    pub fn at(&self, place: &str) -> &str {
        let found = self.path.iter().find(|(name, _)| *name == place);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

/// All routes.
const TABLES: &[&[Route]] = &[
    account::ROUTES,
    charges::ROUTES,
    checkout_sessions::ROUTES,
    coupons::ROUTES,
    customers::ROUTES,
    disputes::ROUTES,
    events::ROUTES,
    invoices::ROUTES,
    customer_balance::ROUTES,
    payment_intents::ROUTES,
    payment_methods::ROUTES,
    portal::ROUTES,
    prices::ROUTES,
    products::ROUTES,
    promotion_codes::ROUTES,
    refunds::ROUTES,
    subscription_schedules::ROUTES,
    setup_intents::ROUTES,
    subscriptions::ROUTES,
    webhook_endpoints::ROUTES,
];

/// Runs an API request without HTTP, for other parts of the simulator.
pub fn request(
    world: &mut World,
    verb: Verb,
    path: &str,
    form: impl Into<Node>,
) -> Result<Value, StripeError> {
    let (route, path) = find(verb, path).ok_or_else(|| not_simulated(verb, path))?;
    let call = Call { path, form: Params::new(form.into()), base: world.base().to_owned() };
    let wanted = Expansions::of(&call.form.texts("expand")?.unwrap_or_default())?;
    // An invalid expansion is found only after the change, so the change must be undone.
    let before = (verb != Verb::Get && !wanted.is_empty()).then(|| world.clone());
    let result = (route.run)(world, &call)?;
    if !call.form.is_finished() {
        return Err(unfinished(&route));
    }
    expand::render(world, &result, &wanted).inspect_err(|_| {
        if let Some(before) = before {
            *world = before;
        }
    })
}

fn not_simulated(verb: Verb, path: &str) -> StripeError {
    let message = format!(
        "Unrecognized request URL ({}: {path}). The simulator has no such route; Stripe may have it.",
        verb.name()
    );
    let body = json!({ "type": "invalid_request_error", "message": message });
    StripeError { status: StatusCode::NOT_FOUND, body }
}

/// The error for a route that did not call `finish`: unknown parameters would pass unnoticed.
fn unfinished(route: &Route) -> StripeError {
    let message = format!("The simulator did not read every parameter of {}.", route.path);
    let body = json!({ "type": "api_error", "message": message });
    StripeError { status: StatusCode::INTERNAL_SERVER_ERROR, body }
}

/// Finds the route of a path, with the values of its parameters. A literal segment takes precedence
/// over a parameter.
fn find(verb: Verb, path: &str) -> Option<(Route, Vec<(&'static str, String)>)> {
    let routes = TABLES.iter().copied().flatten().filter(|route| route.verb == verb);
    let found = routes.filter_map(|route| Some((*route, places(route.path, path)?)));
    found.min_by_key(|(_, places)| places.len())
}

fn places(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut places = Vec::new();
    let (mut expected, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (expected.next(), given.next()) {
            (None, None) => return Some(places),
            (Some(expected), Some(given)) => {
                match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) if !given.is_empty() => places.push((name, given.to_owned())),
                    None if expected == given => {}
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
}
