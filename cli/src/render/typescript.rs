//! `docs/farebox.d.ts`: the request and response types of every route, for clients in TypeScript.
//!
//! It is generated from the OpenAPI document, and so from the handlers' own types. Deliberately absent:
//! a client, because `fetch` is one.

use std::fmt::Write as _;

use serde_json::{Map, Value};

const HEAD: &str = "// What Farebox's routes take and answer. Rendered from the endpoint table by \
                    `farebox render`.\n";

pub(super) fn declarations(document: &Value) -> String {
    let mut text = HEAD.to_owned();
    for (name, schema) in object(&document["components"]["schemas"]) {
        text += "\n";
        comment(&mut text, schema, "");
        let shape = shape(schema, "");
        // Writing to a string cannot fail.
        let _ = match is_interface(schema) {
            true => writeln!(text, "export interface {name} {shape}"),
            false => writeln!(text, "export type {name} = {shape};"),
        };
    }
    text += "\n/** Every route: what its body is, and what it answers when it succeeds. */\n";
    text += "export interface Routes {\n";
    for (path, methods) in object(&document["paths"]) {
        for (method, operation) in object(methods) {
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            let success =
                object(&operation["responses"]).find(|(status, _)| status.starts_with('2')).map_or(
                    &Value::Null,
                    |(_, answer)| &answer["content"]["application/json"]["schema"],
                );
            let either = |schema: &Value| match schema {
                Value::Null => "undefined".to_owned(),
                schema => shape(schema, ""),
            };
            let _ = writeln!(
                text,
                "  \"{} {path}\": {{ body: {}; answer: {} }};",
                method.to_uppercase(),
                either(body),
                either(success)
            );
        }
    }
    text + "}\n"
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// A schema as a type. `indent` is the indentation of its line.
fn shape(schema: &Value, indent: &str) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap_or("unknown").to_owned();
    }
    if let Some(constant) = schema.get("const") {
        return constant.to_string();
    }
    if let Some(values) = schema["enum"].as_array() {
        return union(values.iter().map(Value::to_string));
    }
    if let Some(choices) = choices(schema) {
        return match schema["properties"].as_object() {
            Some(properties) => {
                let common = interface(properties, &schema["required"], indent);
                let either = union(choices.iter().map(|choice| extension(choice, indent)));
                format!("{common} & ({either})")
            }
            None => union(choices.iter().map(|choice| shape(choice, indent))),
        };
    }
    match &schema["type"] {
        Value::Array(kinds) => {
            union(kinds.iter().filter_map(Value::as_str).map(|kind| typed(kind, schema, indent)))
        }
        Value::String(kind) => typed(kind, schema, indent),
        _ => "unknown".to_owned(),
    }
}

/// The schemas of which a value matches one.
fn choices(schema: &Value) -> Option<&Vec<Value>> {
    ["oneOf", "anyOf"].iter().find_map(|either| schema[*either].as_array())
}

/// Only a list of fields can be an `interface`.
fn is_interface(schema: &Value) -> bool {
    schema["properties"].is_object() && choices(schema).is_none()
}

/// The fields that a choice adds to an object. `unknown` in a union would hide the other choices.
fn extension(choice: &Value, indent: &str) -> String {
    match choice.as_object().is_some_and(Map::is_empty) {
        true => "object".to_owned(),
        false => shape(choice, indent),
    }
}

fn typed(kind: &str, schema: &Value, indent: &str) -> String {
    match kind {
        "integer" | "number" => "number".to_owned(),
        "string" | "boolean" | "null" => kind.to_owned(),
        "array" => format!("Array<{}>", shape(&schema["items"], indent)),
        "object" => match schema["properties"].as_object() {
            Some(properties) => interface(properties, &schema["required"], indent),
            None if schema["additionalProperties"].is_object() => {
                format!("Record<string, {}>", shape(&schema["additionalProperties"], indent))
            }
            None => "Record<string, unknown>".to_owned(),
        },
        _ => "unknown".to_owned(),
    }
}

fn interface(properties: &Map<String, Value>, required: &Value, indent: &str) -> String {
    let inner = format!("{indent}  ");
    let mut text = "{\n".to_owned();
    for (name, schema) in properties {
        let is_required =
            required.as_array().is_some_and(|names| names.iter().any(|required| required == name));
        let mark = if is_required { "" } else { "?" };
        comment(&mut text, schema, &inner);
        let _ = writeln!(text, "{inner}{name}{mark}: {};", shape(schema, &inner));
    }
    text + indent + "}"
}

fn union(choices: impl Iterator<Item = String>) -> String {
    let mut distinct = Vec::new();
    for choice in choices {
        if !distinct.contains(&choice) {
            distinct.push(choice);
        }
    }
    distinct.join(" | ")
}

fn comment(text: &mut String, schema: &Value, indent: &str) {
    if let Some(description) = schema["description"].as_str() {
        let words = description.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(text, "{indent}/** {words} */");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn declared(schema: Value) -> String {
        let document = json!({ "components": { "schemas": { "Thing": schema } } });
        let text = declarations(&document);
        let begin = text.find("export").unwrap();
        let end = text.find("\n\n/** Every route").unwrap();
        text[begin..end].to_owned()
    }

    #[test]
    fn an_object_with_fields_is_an_interface() {
        let schema = json!({
            "type": "object",
            "properties": { "id": { "type": "string" }, "note": { "type": ["string", "null"] } },
            "required": ["id"],
        });
        let expected = "export interface Thing {\n  id: string;\n  note?: string | null;\n}";
        assert_eq!(declared(schema), expected);
    }

    #[test]
    fn an_object_without_named_fields_is_a_type() {
        let schema = json!({ "type": "object", "additionalProperties": true });
        assert_eq!(declared(schema), "export type Thing = Record<string, unknown>;");
    }

    #[test]
    fn an_object_with_fields_and_choices_has_both() {
        let schema = json!({
            "type": "object",
            "properties": { "code": { "type": "string" } },
            "required": ["code"],
            "anyOf": [
                { "type": "object", "properties": { "unit": { "type": "string" } }, "required": ["unit"] },
                {},
            ],
        });
        let expected =
            "export type Thing = {\n  code: string;\n} & ({\n  unit: string;\n} | object);";
        assert_eq!(declared(schema), expected);
    }
}
