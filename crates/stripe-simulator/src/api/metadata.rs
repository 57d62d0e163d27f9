//! Metadata, with Stripe's limits.

use serde_json::{Map, Value};

use crate::api::params::Params;
use crate::error::StripeError;

const MAX_KEYS: usize = 50;

const MAX_KEY_LENGTH: usize = 40;

const MAX_VALUE_LENGTH: usize = 500;

/// Merges the parameter `metadata` into the current metadata. An empty value removes its key; an
/// empty `metadata` removes all keys.
pub fn merged(form: &Params, current: &Value) -> Result<Value, StripeError> {
    let mut merged = current.as_object().cloned().unwrap_or_default();
    let Some(given) = form.text_map("metadata")? else { return Ok(Value::Object(merged)) };
    if given.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    for (key, value) in given {
        check(form, &key, &value)?;
        if value.is_empty() {
            merged.remove(&key);
        } else {
            merged.insert(key, Value::String(value));
        }
    }
    if merged.len() > MAX_KEYS {
        let message = format!("Metadata can have up to {MAX_KEYS} keys.");
        return Err(StripeError::invalid(
            "metadata_too_many_keys",
            &form.name("metadata"),
            message,
        ));
    }
    Ok(Value::Object(merged))
}

/// Reads the metadata of a new object.
pub fn of(form: &Params) -> Result<Value, StripeError> {
    merged(form, &Value::Null)
}

fn check(form: &Params, key: &str, value: &str) -> Result<(), StripeError> {
    let too_long = |what: &str, length: usize| {
        let message = format!("Metadata {what} can have up to {length} characters: {key}");
        Err(form.refuse("metadata", message))
    };
    if key.chars().count() > MAX_KEY_LENGTH {
        return too_long("keys", MAX_KEY_LENGTH);
    }
    if value.chars().count() > MAX_VALUE_LENGTH {
        return too_long("values", MAX_VALUE_LENGTH);
    }
    Ok(())
}
