//! Behavior that all routes share: keys, errors, lists, expansion, idempotency.

use serde_json::{Value, json};

use crate::support::Response;
use crate::support::{KEY, Stripe};

#[tokio::test]
async fn only_the_secret_key_is_accepted() {
    let stripe = Stripe::new().await;
    let url = format!("{}/v1/customers", stripe.base);
    let client = reqwest::Client::new();
    for (request, expected) in [
        (client.get(&url), "You did not provide an API key"),
        (client.get(&url).bearer_auth("sk_test_of_another_caller"), "sk_test_****ller"),
        (client.get(&url).basic_auth("unknown", None::<&str>), "****"),
    ] {
        let answer = Response::of(request.send().await.unwrap()).await.expect_status(401);
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("another"), "{message}");
        assert!(answer.header("www-authenticate").starts_with("Basic"));
    }
    let request = client.get(&url).basic_auth(KEY, None::<&str>);
    let answer = Response::of(request.send().await.unwrap()).await.expect_status(200);
    assert!(answer.header("request-id").starts_with("req_"));
    assert_eq!(answer.header("stripe-version"), "2026-09-30.endive");
    assert!(answer.text.contains("\n  \"data\": []"), "pretty, as Stripe prints: {}", answer.text);
}

#[tokio::test]
async fn responses_have_the_simulators_date() {
    let stripe = Stripe::new().await;
    stripe.advance("40d").await;
    let answer = stripe.call("GET", "/v1/account", Value::Null).await.expect_status(200);
    let date = jiff::fmt::rfc2822::parse(answer.header("date")).unwrap();
    assert!((date.timestamp().as_second() - stripe.now()).abs() <= 2, "{date}");
    assert_eq!(answer.body["object"], "account");
}

#[tokio::test]
async fn an_unknown_route_is_a_404() {
    let stripe = Stripe::new().await;
    for (method, path) in [("GET", "/v1/nonsense"), ("DELETE", "/v1/customers")] {
        let (status, error) = stripe.refused(method, path, Value::Null).await;
        assert_eq!((status, &error["type"]), (404, &json!("invalid_request_error")), "{path}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(path) && message.contains("simulator"), "{message}");
    }
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let stripe = Stripe::new().await;
    let product = stripe.post("/v1/products", json!({ "name": "Pro" })).await;
    let cases = [
        ("/v1/customers", json!({ "nonsense": 1 }), "parameter_unknown", "nonsense"),
        (
            "/v1/customers",
            json!({ "shipping": { "name": "Ann", "address": { "planet": "Mars" } } }),
            "parameter_unknown",
            "shipping[address][planet]",
        ),
        ("/v1/customers", json!({ "balance": "much" }), "parameter_invalid_integer", "balance"),
        ("/v1/customers", json!({ "email": "ann.example.com" }), "email_invalid", "email"),
        ("/v1/products", json!({}), "parameter_missing", "name"),
        ("/v1/products", json!({ "name": "" }), "parameter_invalid_empty", "name"),
        (
            "/v1/prices",
            json!({ "product": "prod_none", "currency": "usd", "unit_amount": 1 }),
            "resource_missing",
            "product",
        ),
        (
            "/v1/prices",
            json!({ "product": product["id"], "currency": "usd" }),
            "parameter_missing",
            "unit_amount",
        ),
    ];
    for (path, form, code, param) in cases {
        let (status, error) = stripe.refused("POST", path, form.clone()).await;
        assert_eq!(status, 400, "{form}");
        assert_eq!((&error["code"], &error["param"]), (&json!(code), &json!(param)), "{form}");
    }
    let (status, error) = stripe.refused("GET", "/v1/customers/cus_none", Value::Null).await;
    assert_eq!((status, &error["code"]), (404, &json!("resource_missing")));
    assert_eq!(error["message"], "No such customer: 'cus_none'");
    let customers = stripe.get("/v1/customers", Value::Null).await;
    assert_eq!(customers["data"], json!([]), "no customer was created");
}

#[tokio::test]
async fn lists_are_paged_both_ways() {
    let stripe = Stripe::new().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let customer = stripe.post("/v1/customers", json!({ "name": number })).await;
        ids.insert(0, customer["id"].clone());
    }
    let page = async |form: Value| {
        let list = stripe.get("/v1/customers", form).await;
        let ids: Vec<Value> =
            list["data"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
        (ids, list["has_more"] == true)
    };
    assert_eq!(page(json!({ "limit": 2 })).await, (ids[..2].to_vec(), true));
    assert_eq!(
        page(json!({ "limit": 2, "starting_after": ids[1] })).await,
        (ids[2..4].to_vec(), true)
    );
    assert_eq!(page(json!({ "starting_after": ids[3] })).await, (ids[4..].to_vec(), false));
    assert_eq!(
        page(json!({ "limit": 2, "ending_before": ids[4] })).await,
        (ids[2..4].to_vec(), true)
    );
    let now = stripe.now();
    assert_eq!(page(json!({ "created": { "gt": now + 5 } })).await, (vec![], false));
    assert_eq!(page(json!({ "created": { "gte": now - 60, "lt": now + 60 } })).await.0, ids);
    for form in [json!({ "limit": 0 }), json!({ "limit": 101 }), json!({ "starting_after": "x" })] {
        assert_eq!(stripe.refused("GET", "/v1/customers", form).await.0, 400);
    }
}

#[tokio::test]
async fn requested_links_are_expanded() {
    let stripe = Stripe::new().await;
    let product = stripe.post("/v1/products", json!({ "name": "Pro" })).await;
    let price = json!({ "product": product["id"], "currency": "usd", "unit_amount": 999 });
    let plain = stripe.post("/v1/prices", price.clone()).await;
    assert_eq!(plain["product"], product["id"]);
    assert_eq!(plain.get("currency_options"), None);
    let mut expanded = price.clone();
    expanded["expand"] = json!(["product", "currency_options"]);
    let expanded = stripe.post("/v1/prices", expanded).await;
    assert_eq!(expanded["product"]["name"], "Pro");
    assert_eq!(expanded["currency_options"]["usd"]["unit_amount"], 999);
    let list = stripe.get("/v1/prices", json!({ "expand": ["data.product"] })).await;
    assert_eq!(list["data"][1]["product"]["name"], "Pro");

    let mut wrong = price;
    wrong["expand"] = json!(["customer"]);
    let (status, error) = stripe.refused("POST", "/v1/prices", wrong).await;
    assert_eq!((status, &error["type"]), (400, &json!("invalid_request_error")));
    let list = stripe.get("/v1/prices", Value::Null).await;
    assert_eq!(list["data"].as_array().unwrap().len(), 2, "the refused price was not created");
}

/// A POST with an idempotency key.
async fn keyed(stripe: &Stripe, key: &str, path: &str, form: Value) -> Response {
    let request = stripe.request("POST", path, &form).header("Idempotency-Key", key);
    Response::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_key_replays_its_first_response_for_a_day() {
    let stripe = Stripe::new().await;
    let ann = json!({ "name": "Ann" });
    let first = keyed(&stripe, "k", "/v1/customers", ann.clone()).await.expect_status(200);
    assert_eq!(first.header("idempotency-key"), "k");
    assert_eq!(first.header("original-request"), first.header("request-id"));
    assert_eq!(first.header("idempotent-replayed"), "");
    let second = keyed(&stripe, "k", "/v1/customers", ann.clone()).await.expect_status(200);
    assert_eq!(second.body, first.body);
    assert_eq!(second.header("idempotent-replayed"), "true");
    assert_eq!(second.header("original-request"), first.header("request-id"));
    assert_ne!(second.header("request-id"), first.header("request-id"));

    for (path, form) in [("/v1/customers", json!({ "name": "Bob" })), ("/v1/products", ann.clone())]
    {
        let answer = keyed(&stripe, "k", path, form).await.expect_status(400);
        assert_eq!(answer.body["error"]["type"], "idempotency_error");
    }
    stripe.advance("24h").await;
    let later = keyed(&stripe, "k", "/v1/customers", ann).await.expect_status(200);
    assert_ne!(later.body["id"], first.body["id"]);
}

#[tokio::test]
async fn a_refused_request_does_not_use_up_its_key() {
    let stripe = Stripe::new().await;
    keyed(&stripe, "k", "/v1/customers", json!({ "balance": "x" })).await.expect_status(400);
    let answer = keyed(&stripe, "k", "/v1/customers", json!({ "balance": 1 })).await;
    assert_eq!(answer.expect_status(200).header("idempotent-replayed"), "");
}

#[tokio::test]
async fn a_key_in_flight_is_a_conflict() {
    let stripe = Stripe::new().await;
    stripe.control("POST", "switches", json!({ "answer_after_ms": 300 })).await.expect_status(200);
    let form = json!({ "name": "Ann" });
    let (one, other) = tokio::join!(
        keyed(&stripe, "k", "/v1/customers", form.clone()),
        keyed(&stripe, "k", "/v1/customers", form.clone())
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let after = keyed(&stripe, "k", "/v1/customers", form).await.expect_status(200);
    assert_eq!(after.header("idempotent-replayed"), "true");
}
