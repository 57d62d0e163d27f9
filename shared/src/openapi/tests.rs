mod conformance;
mod fields;

use std::collections::BTreeSet;

use self::conformance::problems;
use super::*;
use crate::domain::error::{Error, ErrorCode, ProblemExtension};
use crate::endpoints as table;

/// Codes of requests that are refused before an operation is chosen.
const OUTSIDE: [ErrorCode; 5] = [
    ErrorCode::ForeignHost,
    ErrorCode::InvalidHost,
    ErrorCode::InvalidTransferEncoding,
    ErrorCode::MethodNotAllowed,
    ErrorCode::NotFound,
];

fn operations() -> Vec<Operation> {
    let mut schemas = Schemas::new();
    TAGS.iter().flat_map(|tag| (tag.operations)(&mut schemas)).collect()
}

#[test]
fn every_method_of_every_endpoint_is_described_once() {
    let mut described: Vec<_> = operations()
        .iter()
        .map(|operation| (operation.endpoint.name, operation.method.as_str()))
        .collect();
    let mut listed: Vec<_> = table::ALL
        .iter()
        .flat_map(|row| row.methods.iter().map(|method| (row.name, method.as_str())))
        .collect();
    described.sort_unstable();
    listed.sort_unstable();
    assert_eq!(described, listed);
}

#[test]
fn operation_ids_are_unique() {
    let operations = operations();
    let ids: BTreeSet<_> = operations.iter().map(|operation| operation.id).collect();
    assert_eq!(ids.len(), operations.len());
}

#[test]
fn handlers_accept_every_request_example() {
    let document = document();
    for operation in operations() {
        let Some(content) = operation.request else { continue };
        let read = (content.read)(content.example.clone());
        assert!(read.is_ok(), "{}: {read:?}", operation.id);
        let found = problems(&document, &content.schema, &content.example);
        assert!(found.is_empty(), "{}: {found:?}", operation.id);
    }
}

#[test]
fn every_response_example_matches_its_schema() {
    let document = document();
    for operation in operations() {
        for content in operation.responses.iter().filter_map(|response| response.content.as_ref()) {
            let found = problems(&document, &content.schema, &content.example);
            assert!(found.is_empty(), "{}: {found:?}", operation.id);
        }
    }
}

#[test]
fn every_problem_matches_its_schema() {
    let document = document();
    let schema = &document["components"]["schemas"]["Problem"];
    let quota = ProblemExtension::Quota {
        quota: "letters".to_owned(),
        limit: None,
        current: 5,
        resets_at: None,
    };
    let credits =
        ProblemExtension::Credits { unit: "mail_credit".to_owned(), balance: 1, needed: 2 };
    let payment = ProblemExtension::Payment { payment_url: "https://pay.example".to_owned() };
    for error in [
        Error::invalid("score", "must be a number"),
        Error::new(ErrorCode::QuotaExceeded, "").with_extension(quota),
        Error::new(ErrorCode::InsufficientCredits, "").with_extension(credits),
        Error::new(ErrorCode::PaymentFailed, "").with_extension(payment),
    ] {
        let problem = Problem {
            kind: "about:blank",
            title: "Title",
            status: 400,
            code: error.code,
            detail: &error.message,
            request_id: "req_1",
            errors: Some(&error.fields[..]).filter(|fields| !fields.is_empty()),
            extension: error.extension.as_deref(),
        };
        let found = problems(&document, schema, &json!(problem));
        assert!(found.is_empty(), "{:?}: {found:?}", error.code);
    }
}

#[test]
fn every_error_code_is_listed() {
    let all = document()["components"]["schemas"]["ErrorCode"].clone();
    let all: BTreeSet<String> = codes(&all).iter().map(ErrorCode::to_string).collect();
    let operations = operations();
    let answered =
        operations.iter().flat_map(|operation| errors::by_status(operation).into_values());
    let listed: BTreeSet<String> =
        answered.flatten().chain(OUTSIDE).map(|code| code.to_string()).collect();
    assert_eq!(listed, all);
}

#[test]
fn requests_and_responses_share_schemas_by_name() {
    let mut schemas = Schemas::new();
    for tag in &TAGS {
        (tag.operations)(&mut schemas);
    }
    let (requests, responses) = schemas.definitions();
    for (name, schema) in &requests {
        let other = responses.get(name).unwrap_or(schema);
        assert_eq!(schema, other, "{name}");
    }
}

#[test]
fn a_wrong_example_is_detected() {
    let document = document();
    let schema = json!({ "$ref": "#/components/schemas/UserStats" });
    let wrong = |field: &str, value: Value| {
        let mut stats = companion::stats();
        stats[field] = value;
        problems(&document, &schema, &stats)
    };
    assert!(wrong("plan", json!("Plus")).is_empty());
    assert_eq!(wrong("plan", json!(1)), ["$.plan: is not of type \"string\""]);
    assert_eq!(wrong("mode", json!(1)), ["$: lists no field mode"]);
    let missing = problems(&document, &schema, &json!({}));
    assert_eq!(missing.len(), companion::stats().as_object().unwrap().len());
}
