//! `docs/farebox.d.ts`: the request and response types of every route, for clients in TypeScript.
//!
//! It is generated from the OpenAPI document, which is derived from the handlers' own types.
//! Deliberately absent: a client, because `fetch` is enough.

use std::fmt::Write as _;
use std::slice;

use serde_json::{Map, Value, json};

const HEAD: &str = "// The request and response types of Farebox's routes. Rendered from the endpoint \
                    table by `farebox render`.\n";

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
    text + &routes(document)
}

/// Declares the type `Routes`, with an entry for each method of each path.
fn routes(document: &Value) -> String {
    let mut text =
        "\n/** Every route, by method and path: the request's parameters and body, the body of a \
         successful response, and the possible error codes. */\n"
            .to_owned();
    text += "export interface Routes {\n";
    for (path, methods) in object(&document["paths"]) {
        for (method, operation) in object(methods) {
            let text_of = |field: &str| operation[field].as_str().unwrap_or_default().to_owned();
            let about = format!("{}: {}.", text_of("operationId"), text_of("summary"));
            comment(&mut text, &json!({ "description": about }), "  ");
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  \"{} {path}\": {{", method.to_uppercase());
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            let fields = [
                ("query", parameters(operation, "query")),
                ("headers", parameters(operation, "header")),
                ("body", body_type(body)),
                ("response", body_type(success(operation))),
                ("errorCode", error_codes(operation)),
            ];
            for (name, kind) in fields {
                let _ = writeln!(text, "    {name}: {kind};");
            }
            text += "  };\n";
        }
    }
    text + "}\n"
}

/// The schema of a successful response.
fn success(operation: &Value) -> &Value {
    let mut responses = object(&operation["responses"]);
    let success = responses.find(|(status, _)| status.starts_with('2'));
    success.map_or(&Value::Null, |(_, response)| &response["content"]["application/json"]["schema"])
}

fn body_type(schema: &Value) -> String {
    if schema.is_null() { "undefined".to_owned() } else { shape(schema, "    ") }
}

/// The type of an operation's parameters in one place: `query` or `header`.
fn parameters(operation: &Value, place: &str) -> String {
    let all = operation["parameters"].as_array().into_iter().flatten();
    let fields: Vec<String> = all
        .filter(|parameter| parameter["in"] == place)
        .map(|parameter| {
            let mark = if parameter["required"] == true { "" } else { "?" };
            let name = parameter["name"].as_str().unwrap_or_default();
            format!("\"{name}\"{mark}: {}", shape(&parameter["schema"], "    "))
        })
        .collect();
    if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join("; ")) }
}

fn error_codes(operation: &Value) -> String {
    let responses = object(&operation["responses"]);
    let codes = responses.filter_map(|(_, response)| response["x-codes"].as_array()).flatten();
    union(codes.map(Value::to_string))
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// Converts a schema into a type. `indent` is the indentation of its line.
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
        if let Some(words) = open_words(choices) {
            return words;
        }
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

/// The alternatives of a schema: a value matches one of them.
fn choices(schema: &Value) -> Option<&Vec<Value>> {
    ["oneOf", "anyOf"].iter().find_map(|either| schema[*either].as_array())
}

/// The type of a string with known values among possible others. In a union with plain `string`,
/// the compiler would drop the known values.
fn open_words(choices: &[Value]) -> Option<String> {
    let [known, other] = choices else { return None };
    let words = known["enum"].as_array()?;
    let is_open = *other == json!({ "type": "string" });
    let others = std::iter::once("(string & {})".to_owned());
    is_open.then(|| union(words.iter().map(Value::to_string).chain(others)))
}

/// Returns true if the schema can be an `interface`: it has fields and no alternatives.
fn is_interface(schema: &Value) -> bool {
    schema["properties"].is_object() && choices(schema).is_none()
}

/// The fields that a choice adds to an object. An empty choice is `object`, because `unknown` in a
/// union would hide the other choices.
fn extension(choice: &Value, indent: &str) -> String {
    if choice.as_object().is_some_and(Map::is_empty) {
        return "object".to_owned();
    }
    // A form of a request: it limits the object's own fields.
    if choice["additionalProperties"] != true {
        return shape(choice, indent);
    }
    let any = choice["anyOf"].as_array();
    let forbidden = &choice["not"];
    let forbidden = forbidden["anyOf"].as_array().map_or(slice::from_ref(forbidden), Vec::as_slice);
    let mut fields = required_fields(choice, indent);
    for other in forbidden {
        fields.extend(object(&other["properties"]).map(|(name, _)| format!("{name}?: never")));
    }
    let on_one_line = |fields: Vec<String>| format!("{{ {} }}", fields.join("; "));
    let form = on_one_line(fields);
    let Some(any) = any else { return form };
    format!("{form} & ({})", union(any.iter().map(|one| on_one_line(required_fields(one, indent)))))
}

/// The fields that a form of a request requires. A field for which it only limits the value has its
/// type elsewhere.
fn required_fields(form: &Value, indent: &str) -> Vec<String> {
    let fields = object(&form["properties"]).map(|(name, field)| (name, shape(field, indent)));
    let typed = fields.filter(|(_, kind)| kind != "unknown");
    typed.map(|(name, kind)| format!("{name}: {kind}")).collect()
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
    let Some(description) = schema["description"].as_str() else { return };
    let in_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut parts = description.split("\n- ").map(in_one_line);
    let head = parts.next().unwrap_or_default();
    let items: Vec<String> = parts.collect();
    let _ = if items.is_empty() {
        writeln!(text, "{indent}/** {head} */")
    } else {
        let items: String = items.iter().map(|item| format!("{indent} * - {item}\n")).collect();
        writeln!(text, "{indent}/**\n{indent} * {head}\n{items}{indent} */")
    };
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

    #[test]
    fn a_form_of_a_request_forbids_the_fields_of_the_others() {
        let text = json!({ "type": "string" });
        let has = |name: &str| json!({ "properties": { name: text }, "required": [name] });
        let schema = json!({
            "type": "object",
            "properties": { "pack": text, "tier": text },
            "oneOf": [
                { "additionalProperties": true, "properties": { "pack": text, "amount": { "minimum": 1 } }, "not": { "anyOf": [has("tier")] } },
                { "additionalProperties": true, "properties": { "action": { "const": "change" } }, "anyOf": [has("tier"), has("seats")] },
            ],
        });
        let expected = "export type Thing = {\n  pack?: string;\n  tier?: string;\n} & \
                        ({ pack: string; tier?: never } | { action: \"change\" } & \
                        ({ tier: string } | { seats: string }));";
        assert_eq!(declared(schema), expected);
    }

    #[test]
    fn an_open_list_of_values_keeps_its_known_values() {
        let known = json!({ "type": "string", "enum": ["active", "paused"] });
        let schema = json!({ "anyOf": [known, { "type": "string" }] });
        let expected = "export type Thing = \"active\" | \"paused\" | (string & {});";
        assert_eq!(declared(schema), expected);
    }

    #[test]
    fn a_route_has_its_parameters_bodies_and_codes() {
        let text = json!({ "type": "string" });
        let parameter = |name: &str, place: &str, is_required: bool| json!({ "name": name, "in": place, "required": is_required, "schema": text });
        let content = |name: &str| json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{name}") } } });
        let document = json!({ "paths": { "/api/usage": { "post": {
            "operationId": "trackUsage",
            "summary": "Report usage",
            "parameters": [parameter("id", "query", true), parameter("Idempotency-Key", "header", false)],
            "requestBody": { "content": content("Entry") },
            "responses": { "200": { "content": content("Result") }, "402": { "x-codes": ["quota_exceeded"] } },
        } } } });
        let expected = "  /** trackUsage: Report usage. */\n  \"POST /api/usage\": {\n    \
                        query: { \"id\": string };\n    \
                        headers: { \"Idempotency-Key\"?: string };\n    body: Entry;\n    \
                        response: Result;\n    errorCode: \"quota_exceeded\";\n  };\n";
        assert!(routes(&document).contains(expected), "{}", routes(&document));
    }
}
