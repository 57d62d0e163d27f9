//! The few calls of Stripe's that pricing as code makes, over HTTP: products and prices, each made
//! once per idempotency key, the lookup key with whoever took it last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use farebox::catalog::Stripe;
use serde_json::{Map, Value, json};
use shared::config::Secret;
use url::form_urlencoded;

use crate::support::listen;

pub const KEY: &str = "sk_test_of_the_tests";

type Fields = BTreeMap<String, String>;
type Reply = (StatusCode, Json<Value>);

#[derive(Default)]
struct World {
    products: BTreeMap<String, Value>,
    prices: Vec<Value>,
    answered: BTreeMap<String, Value>,
}

type Shared = Arc<Mutex<World>>;

/// Serves an account with nothing in it; answers its URL.
pub async fn start() -> String {
    let router = Router::new()
        .route("/v1/products", get(list_products).post(create_product))
        .route("/v1/products/{id}", get(show_product).post(edit_product))
        .route("/v1/prices", get(list_prices).post(create_price))
        .route("/v1/prices/{id}", get(show_price).post(edit_price))
        .with_state(Shared::default());
    format!("http://{}", listen(router).await.address)
}

pub fn client(url: &str) -> Stripe {
    Stripe::new(url, Secret::new(KEY))
}

/// A call to the account, as anybody's client would make it; answers the object.
pub async fn call(url: &str, path: &str, fields: &[(&str, &str)]) -> Value {
    let http = reqwest::Client::new();
    let url = format!("{url}/v1/{path}");
    let request = match fields {
        [] => http.get(url),
        fields => {
            let body =
                form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            http.post(url).header("content-type", "application/x-www-form-urlencoded").body(body)
        }
    };
    let answer = request.bearer_auth(KEY).send().await.unwrap();
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert!(status.is_success(), "{path}: {body}");
    body
}

/// How many products and prices there are.
pub async fn count(url: &str) -> (usize, usize) {
    let mut counts = Vec::new();
    for path in ["products?limit=100", "prices?limit=100"] {
        counts.push(call(url, path, &[]).await["data"].as_array().unwrap().len());
    }
    (counts[0], counts[1])
}

fn fields(text: &str) -> Fields {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn refused(status: StatusCode, code: &str, message: &str) -> Reply {
    let error = json!({ "type": "invalid_request_error", "code": code, "message": message });
    (status, Json(json!({ "error": error })))
}

fn missing(kind: &str, id: &str) -> Reply {
    refused(StatusCode::NOT_FOUND, "resource_missing", &format!("No such {kind}: '{id}'"))
}

fn list(data: Vec<&Value>) -> Reply {
    (StatusCode::OK, Json(json!({ "object": "list", "data": data, "has_more": false })))
}

async fn list_products(State(world): State<Shared>) -> Reply {
    list(world.lock().unwrap().products.values().collect())
}

async fn show_product(State(world): State<Shared>, Path(id): Path<String>) -> Reply {
    match world.lock().unwrap().products.get(&id) {
        Some(product) => (StatusCode::OK, Json(product.clone())),
        None => missing("product", &id),
    }
}

async fn create_product(State(world): State<Shared>, body: String) -> Reply {
    let fields = fields(&body);
    let products = &mut world.lock().unwrap().products;
    let id = fields.get("id").cloned().unwrap_or_else(|| format!("prod_{}", products.len() + 1));
    if products.contains_key(&id) {
        let message = "Product already exists.";
        return refused(StatusCode::BAD_REQUEST, "resource_already_exists", message);
    }
    let product = json!({ "id": id, "object": "product", "active": true, "name": fields["name"] });
    products.insert(id, product.clone());
    (StatusCode::OK, Json(product))
}

async fn edit_product(State(world): State<Shared>, Path(id): Path<String>, body: String) -> Reply {
    match world.lock().unwrap().products.get_mut(&id) {
        Some(product) => (StatusCode::OK, Json(edited(product, &fields(&body)))),
        None => missing("product", &id),
    }
}

fn edited(object: &mut Value, fields: &Fields) -> Value {
    object["active"] = (fields["active"] == "true").into();
    object.clone()
}

async fn list_prices(State(world): State<Shared>, RawQuery(query): RawQuery) -> Reply {
    let fields = fields(&query.unwrap_or_default());
    let asked: Vec<&String> = fields
        .iter()
        .filter(|(name, _)| name.starts_with("lookup_keys["))
        .map(|(_, key)| key)
        .collect();
    if asked.len() > 10 {
        return refused(StatusCode::BAD_REQUEST, "", "At most 10 lookup keys.");
    }
    let wanted = |price: &&Value| {
        asked.is_empty() || asked.iter().any(|key| price["lookup_key"] == key.as_str())
    };
    list(world.lock().unwrap().prices.iter().filter(wanted).collect())
}

async fn show_price(State(world): State<Shared>, Path(id): Path<String>) -> Reply {
    match world.lock().unwrap().prices.iter().find(|price| price["id"] == id.as_str()) {
        Some(price) => (StatusCode::OK, Json(price.clone())),
        None => missing("price", &id),
    }
}

async fn edit_price(State(world): State<Shared>, Path(id): Path<String>, body: String) -> Reply {
    match world.lock().unwrap().prices.iter_mut().find(|price| price["id"] == id.as_str()) {
        Some(price) => (StatusCode::OK, Json(edited(price, &fields(&body)))),
        None => missing("price", &id),
    }
}

async fn create_price(State(world): State<Shared>, headers: HeaderMap, body: String) -> Reply {
    let fields = fields(&body);
    let key = headers.get("idempotency-key").map(|key| key.to_str().unwrap().to_owned());
    let mut world = world.lock().unwrap();
    if let Some(answer) = key.as_ref().and_then(|key| world.answered.get(key)) {
        return (StatusCode::OK, Json(answer.clone()));
    }
    if !world.products.contains_key(&fields["product"]) {
        return missing("product", &fields["product"]);
    }
    let lookup_key = fields.get("lookup_key");
    let holder = world
        .prices
        .iter_mut()
        .find(|price| lookup_key.is_some_and(|key| price["lookup_key"] == key.as_str()));
    if let Some(holder) = holder {
        if fields.get("transfer_lookup_key").is_none_or(|transfer| transfer != "true") {
            return refused(StatusCode::BAD_REQUEST, "", "A price has this lookup key already.");
        }
        holder["lookup_key"] = Value::Null;
    }
    let price = price(&fields, world.prices.len() + 1);
    world.prices.push(price.clone());
    world.answered.extend(key.map(|key| (key, price.clone())));
    (StatusCode::OK, Json(price))
}

/// A price as Stripe shows it, its currencies expanded.
fn price(fields: &Fields, number: usize) -> Value {
    let amount = |name: &str| fields[name].parse::<i64>().unwrap();
    let recurring = fields.get("recurring[interval]").map(|interval| {
        let count = fields.get("recurring[interval_count]").map_or("1", String::as_str);
        let count: i64 = count.parse().unwrap();
        json!({ "interval": interval, "interval_count": count, "usage_type": "licensed" })
    });
    let mut options = Map::new();
    options.insert(fields["currency"].clone(), json!({ "unit_amount": amount("unit_amount") }));
    for name in fields.keys().filter(|name| name.starts_with("currency_options[")) {
        let currency = name["currency_options[".len()..].split(']').next().unwrap();
        options.insert(currency.to_owned(), json!({ "unit_amount": amount(name) }));
    }
    json!({
        "id": format!("price_{number}"),
        "object": "price",
        "active": true,
        "currency": fields["currency"],
        "currency_options": options,
        "lookup_key": fields.get("lookup_key"),
        "product": fields["product"],
        "recurring": recurring,
        "type": if recurring.is_some() { "recurring" } else { "one_time" },
        "unit_amount": amount("unit_amount"),
    })
}
