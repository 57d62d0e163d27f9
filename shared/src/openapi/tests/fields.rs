//! The schema of each field of a request, compared with the type that the handler parses.

use proptest::strategy::{Strategy, ValueTree};
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;

use super::*;

/// A field of a request or of an entry of its list, and the request's example with that entry.
struct Field {
    /// The operation and the field, for messages.
    name: String,
    schema: Value,
    is_required: bool,
    /// The path of the field as a JSON pointer.
    pointer: String,
    example: Value,
    read: fn(Value) -> Result<(), serde_json::Error>,
}

impl Field {
    /// Returns whether the handler's type accepts the request with this value of the field.
    fn accepts(&self, value: impl Into<Value>) -> bool {
        let mut request = self.example.clone();
        let (parent, name) = self.pointer.rsplit_once('/').unwrap();
        request.pointer_mut(parent).unwrap()[name] = value.into();
        (self.read)(request).is_ok()
    }
}

fn resolved(document: &Value, schema: &Value) -> Value {
    let Some(reference) = schema["$ref"].as_str() else { return schema.clone() };
    let target = document.pointer(reference.trim_start_matches('#')).unwrap();
    resolved(document, target)
}

/// Every field of every request, except `ownerId` and `userId`, which the guard parses.
fn fields(document: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    for operation in operations() {
        let Some(content) = operation.request.filter(|it| it.schema["$ref"].is_string()) else {
            continue;
        };
        let (id, read) = (operation.id, content.read);
        add(document, id, &content.schema, "", &content.example, read, &mut fields);
    }
    assert!(fields.len() > 40, "{} fields", fields.len());
    fields
}

fn add(
    document: &Value,
    id: &str,
    schema: &Value,
    path: &str,
    example: &Value,
    read: fn(Value) -> Result<(), serde_json::Error>,
    fields: &mut Vec<Field>,
) {
    let schema = resolved(document, schema);
    for (name, field) in schema["properties"].as_object().unwrap() {
        if ["ownerId", "userId"].contains(&name.as_str()) {
            continue;
        }
        let required = schema["required"].as_array().into_iter().flatten();
        let resolved_field = resolved(document, field);
        let pointer = format!("{path}/{name}");
        let items = &resolved_field["items"];
        if resolved(document, items)["properties"].is_object() {
            let mut example = example.clone();
            example[name] = json!([{ "feature": "letters" }]);
            add(document, id, items, &format!("{pointer}/0"), &example, read, fields);
        }
        fields.push(Field {
            name: format!("{id}{pointer}"),
            schema: resolved_field,
            is_required: required.into_iter().any(|required| required == name),
            pointer,
            example: example.clone(),
            read,
        });
    }
}

#[test]
fn null_is_accepted_exactly_where_the_schema_allows_it() {
    let document = document();
    for field in fields(&document) {
        let is_allowed = problems(&document, &field.schema, &Value::Null).is_empty();
        assert_eq!(field.accepts(Value::Null), is_allowed, "{}", field.name);
        assert!(!is_allowed, "{} takes null: an optional field is left out instead", field.name);
        assert!(field.schema.get("default") != Some(&Value::Null), "{}", field.name);
    }
}

#[test]
fn an_optional_field_may_be_left_out() {
    for field in fields(&document()) {
        let mut request = field.example.clone();
        let (parent, name) = field.pointer.rsplit_once('/').unwrap();
        request.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
        assert_eq!((field.read)(request).is_ok(), !field.is_required, "{}", field.name);
    }
}

#[test]
fn numbers_are_accepted_exactly_within_their_range() {
    for field in fields(&document()) {
        for (keyword, step) in [("minimum", -1), ("maximum", 1)] {
            let Some(edge) = field.schema[keyword].as_i64() else { continue };
            assert!(field.accepts(edge), "{}: {edge}", field.name);
            assert!(!field.accepts(edge + step), "{}: {}", field.name, edge + step);
        }
        if field.schema["not"] == json!({ "const": 0 }) {
            assert!(!field.accepts(0), "{}: 0", field.name);
        }
    }
}

#[test]
fn texts_are_accepted_exactly_in_their_form() {
    let mut runner = TestRunner::deterministic();
    for field in fields(&document()) {
        let is_url = field.name.ends_with("Url");
        if let Some(words) = field.schema["enum"].as_array() {
            assert!(!field.accepts("x-y-z"), "{}", field.name);
            words.iter().for_each(|word| assert!(field.accepts(word.clone()), "{}", field.name));
        }
        // The handlers parse URLs later: whether one is accepted depends on the app's origins.
        let Some(pattern) = field.schema["pattern"].as_str().filter(|_| !is_url) else { continue };
        let pattern = pattern.trim_start_matches('^').trim_end_matches('$');
        let texts = string_regex(pattern).unwrap();
        let max = field.schema["maxLength"].as_u64().unwrap_or(50) as usize;
        for _ in 0..64 {
            let text = texts.new_tree(&mut runner).unwrap().current();
            if text.len() <= max {
                assert!(field.accepts(text.clone()), "{}: {text:?}", field.name);
            }
        }
        for wrong in ["", "\0", "a\u{7}", "\u{9f}@b.example"] {
            assert!(!field.accepts(wrong), "{}: {wrong:?}", field.name);
        }
        assert!(!field.accepts("a".repeat(max + 1)), "{}: too long", field.name);
    }
}
