//! Validates values against schemas, for the keywords that the document uses.
//!
//! Stricter than JSON Schema: an object may have only the fields that its schema lists.

use serde_json::Value;

/// The problems of a value, each with its path.
pub(super) fn problems(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    check(document, schema, value, "$")
}

fn check(document: &Value, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        return match target {
            Some(target) => check(document, target, value, path),
            None => vec![format!("{path}: {reference} is not in the document")],
        };
    }
    for either in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[either].as_array() {
            let results: Vec<_> =
                choices.iter().map(|choice| check(document, choice, value, path)).collect();
            if !results.iter().any(Vec::is_empty) {
                return results.concat();
            }
            if !schema["properties"].is_object() {
                return Vec::new();
            }
        }
    }
    let mut found = scalar(schema, value, path);
    if schema["not"].is_object() && check(document, &schema["not"], value, path).is_empty() {
        found.push(format!("{path}: is one of the forbidden values"));
    }
    if let (Some(values), items @ Value::Object(_)) = (value.as_array(), &schema["items"]) {
        for (place, value) in values.iter().enumerate() {
            found.extend(check(document, items, value, &format!("{path}[{place}]")));
        }
    }
    found.extend(fields(document, schema, value, path));
    found
}

/// Checks the keywords that refer to no other schema.
fn scalar(schema: &Value, value: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        Value::Null => Vec::new(),
        kind => vec![kind.clone()],
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is_of(kind, value)) {
        found.push(format!("{path}: is not of type {}", schema["type"]));
    }
    if schema.get("const").is_some_and(|constant| constant != value) {
        found.push(format!("{path}: is not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        found.push(format!("{path}: is none of {}", schema["enum"]));
    }
    let number = value.as_f64();
    let beyond = |keyword: &str, is_beyond: fn(f64, f64) -> bool| {
        number.zip(schema[keyword].as_f64()).is_some_and(|(number, edge)| is_beyond(number, edge))
    };
    if beyond("minimum", |number, edge| number < edge)
        || beyond("maximum", |number, edge| number > edge)
    {
        found.push(format!("{path}: is out of range"));
    }
    let is_time = schema["format"] == "date-time";
    if let Some(text) = value.as_str().filter(|_| is_time)
        && text.parse::<jiff::Timestamp>().is_err()
    {
        found.push(format!("{path}: is not a time"));
    }
    found
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap_or_default() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        _ => false,
    }
}

fn fields(document: &Value, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    let Some(values) = value.as_object() else { return Vec::new() };
    let mut found = Vec::new();
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !values.contains_key(name) {
            found.push(format!("{path}: lacks {name}"));
        }
    }
    let (listed, others) = (&schema["properties"], &schema["additionalProperties"]);
    for (name, value) in values {
        match (listed.get(name), others) {
            (Some(schema), _) | (None, schema @ Value::Object(_)) => {
                found.extend(check(document, schema, value, &format!("{path}.{name}")));
            }
            (None, Value::Bool(true)) => {}
            (None, _) => found.push(format!("{path}: lists no field {name}")),
        }
    }
    found
}
