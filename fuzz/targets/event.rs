//! Parses any bytes as the body of a webhook. The parser must refuse them or return facts in the
//! form that the database expects.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use shared::domain::event::Event;

fuzz_target!(|body: &[u8]| {
    let Some(event) = Event::parse(body) else { return };
    let Ok(facts) = event.facts() else { return };
    for (kind, fact) in facts.as_json() {
        match (kind.as_str(), fact) {
            ("notice", Value::String(_)) => {}
            ("refunds", Value::Array(refunds)) => refunds.iter().for_each(expect_fact),
            (_, fact) => expect_fact(fact),
        }
    }
});

/// Asserts that a fact is an object of scalars with an id, and that its amounts are not negative.
fn expect_fact(fact: &Value) {
    assert!(fact["id"].is_string(), "{fact}");
    for (field, value) in fact.as_object().expect("an object") {
        assert!(field == "items" || !(value.is_object() || value.is_array()), "{fact}");
        let is_below_zero = value.as_i64().is_some_and(|value| value < 0);
        assert!(!(field.starts_with("amount") && is_below_zero), "{fact}");
    }
}
