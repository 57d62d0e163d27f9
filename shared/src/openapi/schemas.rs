//! The document's components: the schemas of requests and responses, in the form that client
//! generators handle best.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Collects schemas. A request's schema follows from how it is deserialized, a response's from how
/// it is serialized.
#[derive(Debug)]
pub(super) struct Schemas {
    requests: SchemaGenerator,
    responses: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = "/components/schemas".into();
        let requests = settings.clone().into_generator();
        Self { requests, responses: settings.for_serialize().into_generator() }
    }

    /// Adds the schema of a request, and returns a reference to it.
    pub(super) fn request<T: JsonSchema>(&mut self) -> Value {
        self.requests.subschema_for::<T>().to_value()
    }

    /// Adds the schema of a response, and returns a reference to it.
    pub(super) fn response<T: JsonSchema>(&mut self) -> Value {
        self.responses.subschema_for::<T>().to_value()
    }

    /// The schemas of requests and those of responses, by name.
    pub(super) fn definitions(mut self) -> (Map<String, Value>, Map<String, Value>) {
        (self.requests.take_definitions(true), self.responses.take_definitions(true))
    }

    /// Every schema that was added, by name.
    pub(super) fn into_components(self) -> Map<String, Value> {
        let (mut requests, mut schemas) = self.definitions();
        requests.values_mut().for_each(refuse_null);
        schemas.extend(requests);
        let mut components = Map::new();
        for (name, mut schema) in schemas {
            join_words(&mut schema);
            name_variants(&mut schema, &mut components);
            components.insert(name, schema);
        }
        components
    }
}

/// Removes null from the fields of a request: an optional field may be absent, but not null
/// (`domain::if_given`).
fn refuse_null(schema: &mut Value) {
    let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
    let fields = fields.into_iter().flat_map(Map::values_mut);
    for field in fields.filter_map(Value::as_object_mut) {
        field.retain(|keyword, value| keyword != "default" || !value.is_null());
        if let Some(kinds) = field.get_mut("type")
            && let Some(kind) = kinds.as_array().and_then(|kinds| kinds.first().cloned())
        {
            *kinds = kind;
        }
        let choices = field.get("anyOf").and_then(Value::as_array).cloned();
        if let Some([Value::Object(kind), null]) = choices.as_deref()
            && *null == json!({ "type": "null" })
        {
            field.remove("anyOf");
            field.extend(kind.clone());
        }
    }
}

/// Replaces a choice of constants by one `enum`, whose description lists the meaning of each value.
fn join_words(schema: &mut Value) {
    let Some(choices) = schema["oneOf"].as_array() else { return };
    let words: Option<Vec<&str>> = choices.iter().map(|choice| choice["const"].as_str()).collect();
    let Some(words) = words else { return };
    let mut description = schema["description"].as_str().unwrap_or_default().to_owned();
    for (choice, word) in choices.iter().zip(&words) {
        let meaning = choice["description"].as_str().unwrap_or_default();
        description += &format!("\n- `{word}`: {meaning}");
    }
    *schema = json!({ "type": "string", "enum": words, "description": description.trim() });
}

/// Makes each variant that has a title a component, and adds the discriminator: the field whose
/// value identifies the variant.
fn name_variants(schema: &mut Value, components: &mut Map<String, Value>) {
    let Some(choices) = schema.get_mut("oneOf").and_then(Value::as_array_mut) else { return };
    let mut mapping = Map::new();
    let mut tag = None;
    for choice in choices {
        let Some(title) = choice["title"].as_str().map(str::to_owned) else { return };
        let fields = choice["properties"].as_object();
        let constant =
            fields.and_then(|it| it.iter().find(|(_, field)| field["const"].is_string()));
        let Some((name, field)) = constant else { return };
        let reference = format!("#/components/schemas/{title}");
        mapping.insert(field["const"].as_str().unwrap_or_default().into(), json!(reference));
        tag = Some(name.clone());
        let mut variant = std::mem::replace(choice, json!({ "$ref": reference }));
        variant.as_object_mut().map(|variant| variant.remove("title"));
        components.insert(title, variant);
    }
    schema["discriminator"] = json!({ "propertyName": tag, "mapping": mapping });
}
