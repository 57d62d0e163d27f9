//! Which fields of a request belong together, such as `tier` and `interval`, or `pack`.
//!
//! The handlers check this after they have parsed the fields, so their types do not show it.

use serde_json::{Map, Value, json};

/// One form of a request. Fields that it does not name are optional in it.
struct Variant {
    /// The action that selects this form.
    action: Option<&'static str>,
    required: &'static [&'static str],
    /// At least one of them is required.
    any: &'static [&'static str],
    forbidden: &'static [&'static str],
    /// Counts that must be positive in this form.
    positive: &'static [&'static str],
}

const PLAIN: Variant =
    Variant { action: None, required: &[], any: &[], forbidden: &[], positive: &[] };

/// The forms of each request that has more than one, by the name of its schema.
const VARIANTS: &[(&str, &[Variant])] = &[
    (
        "CheckRequest",
        &[
            Variant { required: &["feature"], forbidden: &["checks"], ..PLAIN },
            Variant { required: &["checks"], forbidden: &["feature", "quantity"], ..PLAIN },
        ],
    ),
    (
        "TrackUsageRequest",
        &[
            Variant { required: &["feature"], forbidden: &["entries", "mode"], ..PLAIN },
            Variant {
                required: &["entries"],
                forbidden: &["feature", "quantity", "metadata"],
                ..PLAIN
            },
        ],
    ),
    (
        "ChangeCreditsRequest",
        &[
            Variant {
                action: Some("spend"),
                forbidden: &["expiresAt", "priority"],
                positive: &["amount"],
                ..PLAIN
            },
            Variant {
                action: Some("grant"),
                required: &["reason"],
                positive: &["amount"],
                ..PLAIN
            },
            Variant {
                action: Some("adjust"),
                required: &["reason"],
                forbidden: &["expiresAt", "priority"],
                ..PLAIN
            },
        ],
    ),
    (
        "CheckoutRequest",
        &[
            Variant { required: &["tier", "interval"], forbidden: &["pack"], ..PLAIN },
            Variant { required: &["pack"], forbidden: &["tier", "interval"], ..PLAIN },
        ],
    ),
    (
        "ChangeSubscriptionRequest",
        &[
            Variant {
                action: Some("change"),
                any: &["tier", "interval", "quantity"],
                forbidden: &["when", "reason", "previewId"],
                ..PLAIN
            },
            Variant {
                action: Some("cancel"),
                forbidden: &["tier", "interval", "quantity", "previewId"],
                ..PLAIN
            },
            Variant {
                action: Some("resume"),
                forbidden: &["tier", "interval", "quantity", "when", "reason", "previewId"],
                ..PLAIN
            },
            Variant {
                required: &["previewId"],
                forbidden: &["action", "tier", "interval", "quantity", "when", "reason"],
                ..PLAIN
            },
        ],
    ),
    (
        "HandleFailedWebhookRequest",
        &[
            Variant { action: Some("replay"), forbidden: &["note"], ..PLAIN },
            Variant { action: Some("resolve"), required: &["note"], ..PLAIN },
        ],
    ),
];

/// The requests of which at least one field is required, with these fields.
const AT_LEAST_ONE: &[(&str, &[&str])] =
    &[("PreviewSubscriptionRequest", &["tier", "interval", "quantity"])];

/// Adds the forms of each request to its schema, as `oneOf`, and the fields of which one is
/// required, as `anyOf`.
pub(super) fn add(components: &mut Map<String, Value>) {
    for (name, variants) in VARIANTS {
        if let Some(schema) = components.get_mut(*name) {
            let choices: Vec<Value> =
                variants.iter().map(|variant| variant.to_json(&schema["properties"])).collect();
            schema["oneOf"] = choices.into();
        }
    }
    for (name, any) in AT_LEAST_ONE {
        if let Some(schema) = components.get_mut(*name) {
            schema["anyOf"] = each_required(any, &schema["properties"]).into();
        }
    }
}

impl Variant {
    fn to_json(&self, fields: &Value) -> Value {
        let mut properties = Map::new();
        for name in self.required {
            properties.insert((*name).to_owned(), fields[name].clone());
        }
        for name in self.positive {
            properties.insert((*name).to_owned(), json!({ "minimum": 1 }));
        }
        let mut required = self.required.to_vec();
        if let Some(action) = self.action {
            properties.insert("action".to_owned(), json!({ "const": action }));
            required.push("action");
        }
        let mut schema = json!({
            "type": "object", "properties": properties, "required": required,
            "additionalProperties": true,
        });
        let forbidden = each_required(self.forbidden, fields);
        match &forbidden[..] {
            [] => {}
            [only] => schema["not"] = only.clone(),
            several => schema["not"] = json!({ "anyOf": several }),
        }
        if !self.any.is_empty() {
            schema["anyOf"] = each_required(self.any, fields).into();
        }
        schema
    }
}

/// For each of these fields the schema of an object that has it.
fn each_required(names: &[&str], fields: &Value) -> Vec<Value> {
    names.iter().map(|name| requires(name, fields)).collect()
}

/// The schema of an object that has this field.
fn requires(name: &str, fields: &Value) -> Value {
    json!({
        "type": "object", "properties": { name: fields[name] }, "required": [name],
        "additionalProperties": true,
    })
}
