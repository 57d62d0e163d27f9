//! Typed access to a request's parameters, with Stripe's own errors.
//!
//! Each read marks its parameter as known. Every route calls [`Params::finish`] before it changes
//! anything; it refuses the parameters that were not read.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::api::form::Node;
use crate::error::StripeError;

/// The parameters of a request, or those nested in one of them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Params {
    /// The prefix of these parameters: empty, or `line_items[0]`.
    at: String,
    entries: Vec<(String, Node)>,
    record: Rc<Record>,
}

/// The whole request, and the parameters read so far.
#[derive(Debug)]
struct Record {
    whole: Node,
    known: RefCell<BTreeSet<String>>,
    finished: Cell<bool>,
}

impl Params {
    pub fn new(whole: Node) -> Self {
        let entries = match &whole {
            Node::Map(entries) => entries.clone(),
            Node::Text(_) => Vec::new(),
        };
        let record = Record { whole, known: RefCell::default(), finished: Cell::new(false) };
        Self { at: String::new(), entries, record: Rc::new(record) }
    }

    /// Refuses parameters that the route has not read. Call it after all reads, before any change.
    pub fn finish(&self) -> Result<(), StripeError> {
        self.record.finished.set(true);
        let mut unknown = Vec::new();
        collect_unknown(&self.record.whole, "", &self.record.known.borrow(), &mut unknown);
        let Some(first) = unknown.first() else { return Ok(()) };
        let plural = if unknown.len() == 1 { "" } else { "s" };
        let message = format!("Received unknown parameter{plural}: {}", unknown.join(", "));
        Err(StripeError::invalid("parameter_unknown", first, message))
    }

    /// Returns true if the route has called `finish`, as it must.
    pub fn is_finished(&self) -> bool {
        self.record.finished.get()
    }

    /// The full name of a parameter: `line_items[0][price]`.
    pub fn name(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}[{name}]", self.at) }
    }

    /// Returns true if the parameter was sent, even if empty.
    pub fn has(&self, name: &str) -> bool {
        self.node(name).is_some()
    }

    /// Returns true if the parameter was sent empty, which unsets a value.
    pub fn is_unset(&self, name: &str) -> bool {
        let unset = matches!(self.node(name), Some(Node::Text(text)) if text.is_empty());
        if unset {
            self.know(name);
        }
        unset
    }

    /// Accepts Stripe's parameters that have no effect here.
    pub fn ignore(&self, names: &[&str]) {
        names.iter().for_each(|name| self.know(name));
    }

    pub fn text(&self, name: &str) -> Result<Option<String>, StripeError> {
        match self.scalar(name)? {
            Some("") => Err(self.empty(name)),
            given => Ok(given.map(str::to_owned)),
        }
    }

    pub fn need_text(&self, name: &str) -> Result<String, StripeError> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// Reads a text that can be unset: `None` if not sent, `null` if sent empty.
    pub fn text_or_unset(&self, name: &str) -> Result<Option<Value>, StripeError> {
        let value = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        Ok(self.scalar(name)?.map(value))
    }

    pub fn integer(&self, name: &str) -> Result<Option<i64>, StripeError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let complain = |_| {
            let message = format!("Invalid integer: {text}");
            StripeError::invalid("parameter_invalid_integer", &self.name(name), message)
        };
        text.parse().map(Some).map_err(complain)
    }

    pub fn need_integer(&self, name: &str) -> Result<i64, StripeError> {
        self.integer(name)?.ok_or_else(|| self.missing(name))
    }

    /// Reads a whole number of at least `least`.
    pub fn integer_from(&self, name: &str, least: i64) -> Result<Option<i64>, StripeError> {
        match self.integer(name)? {
            Some(number) if number < least => {
                let message = format!("This value must be greater than or equal to {least}.");
                Err(StripeError::invalid("parameter_invalid_integer", &self.name(name), message))
            }
            given => Ok(given),
        }
    }

    pub fn decimal(&self, name: &str) -> Result<Option<f64>, StripeError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        let complain = || self.refuse(name, format!("Invalid decimal: {text}"));
        number.map(Some).ok_or_else(complain)
    }

    pub fn boolean(&self, name: &str) -> Result<Option<bool>, StripeError> {
        match self.text(name)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(self.refuse(name, format!("Invalid boolean: {other}"))),
        }
    }

    /// Reads one of the listed words.
    pub fn choice(
        &self,
        name: &str,
        words: &[&'static str],
    ) -> Result<Option<&'static str>, StripeError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let complain = || {
            let full = self.name(name);
            self.refuse(name, format!("Invalid {full}: must be one of {}", words.join(", ")))
        };
        words.iter().find(|word| **word == text).map(|word| Some(*word)).ok_or_else(complain)
    }

    /// Reads an object: `None` if not sent or sent empty.
    pub fn object(&self, name: &str) -> Result<Option<Self>, StripeError> {
        match self.node(name) {
            None => Ok(None),
            Some(Node::Text(text)) if text.is_empty() => {
                self.know(name);
                Ok(None)
            }
            Some(Node::Text(_)) => Err(self.refuse(name, "Invalid object".to_owned())),
            Some(Node::Map(entries)) => Ok(Some(self.below(self.name(name), entries))),
        }
    }

    /// Reads a list of objects: `None` if not sent, an empty list if sent empty.
    pub fn objects(&self, name: &str) -> Result<Option<Vec<Self>>, StripeError> {
        let Some(elements) = self.elements(name)? else { return Ok(None) };
        let element = |(key, node): (usize, &Node)| match node {
            Node::Map(entries) => Ok(self.below(format!("{}[{key}]", self.name(name)), entries)),
            Node::Text(_) => Err(self.refuse(name, "Invalid object".to_owned())),
        };
        elements.into_iter().map(element).collect::<Result<_, _>>().map(Some)
    }

    /// Reads a list of texts: `None` if not sent, an empty list if sent empty.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, StripeError> {
        let Some(elements) = self.elements(name)? else { return Ok(None) };
        self.know(name);
        let element = |(_, node): (usize, &Node)| match node {
            Node::Text(text) => Ok(text.clone()),
            Node::Map(_) => Err(self.refuse(name, "Invalid string".to_owned())),
        };
        elements.into_iter().map(element).collect::<Result<_, _>>().map(Some)
    }

    /// Reads a map from free keys (currencies) to objects: empty if not sent.
    pub fn named_objects(&self, name: &str) -> Result<Vec<(String, Self)>, StripeError> {
        let Some(map) = self.object(name)? else { return Ok(Vec::new()) };
        let mut named = Vec::new();
        for (key, _) in &map.entries {
            named.extend(map.object(key)?.map(|object| (key.clone(), object)));
        }
        Ok(named)
    }

    /// Reads a map of texts: `None` if not sent, an empty map if sent empty.
    pub fn text_map(&self, name: &str) -> Result<Option<Vec<(String, String)>>, StripeError> {
        let entries = match self.node(name) {
            None => return Ok(None),
            Some(Node::Text(text)) if text.is_empty() => &[],
            Some(Node::Text(_)) => return Err(self.refuse(name, "Invalid object".to_owned())),
            Some(Node::Map(entries)) => entries.as_slice(),
        };
        self.know(name);
        let entry = |(key, node): &(String, Node)| match node {
            Node::Text(text) => Ok((key.clone(), text.clone())),
            Node::Map(_) => Err(self.refuse(name, format!("Invalid string for key {key}"))),
        };
        entries.iter().map(entry).collect::<Result<_, _>>().map(Some)
    }

    pub fn missing(&self, name: &str) -> StripeError {
        let full = self.name(name);
        let message = format!("Missing required param: {full}.");
        StripeError::invalid("parameter_missing", &full, message)
    }

    /// An `invalid_request_error` about one parameter, without a code.
    pub fn refuse(&self, name: &str, message: String) -> StripeError {
        let param = self.name(name);
        let body = json!({ "type": "invalid_request_error", "param": param, "message": message });
        StripeError { status: StatusCode::BAD_REQUEST, body }
    }

    fn empty(&self, name: &str) -> StripeError {
        let full = self.name(name);
        let message = format!(
            "You passed an empty string for '{full}'. Empty values are an attempt to unset a \
             parameter; '{full}' cannot be unset."
        );
        StripeError::invalid("parameter_invalid_empty", &full, message)
    }

    fn scalar(&self, name: &str) -> Result<Option<&str>, StripeError> {
        self.know(name);
        match self.node(name) {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text)),
            Some(Node::Map(_)) => Err(self.refuse(name, "Invalid string".to_owned())),
        }
    }

    /// The elements of a list, ordered by index.
    fn elements(&self, name: &str) -> Result<Option<Vec<(usize, &Node)>>, StripeError> {
        let entries = match self.node(name) {
            None => return Ok(None),
            Some(Node::Text(text)) if text.is_empty() => {
                self.know(name);
                return Ok(Some(Vec::new()));
            }
            Some(Node::Text(_)) => return Err(self.refuse(name, "Invalid array".to_owned())),
            Some(Node::Map(entries)) => entries,
        };
        let numbered = entries.iter().map(|(key, node)| Some((key.parse().ok()?, node)));
        let invalid = || self.refuse(name, "Invalid array".to_owned());
        let mut elements = numbered.collect::<Option<Vec<_>>>().ok_or_else(invalid)?;
        elements.sort_by_key(|(number, _): &(usize, _)| *number);
        Ok(Some(elements))
    }

    fn below(&self, at: String, entries: &[(String, Node)]) -> Self {
        Self { at, entries: entries.to_vec(), record: Rc::clone(&self.record) }
    }

    fn node(&self, name: &str) -> Option<&Node> {
        self.entries.iter().find_map(|(key, node)| (key == name).then_some(node))
    }

    fn know(&self, name: &str) {
        self.record.known.borrow_mut().insert(self.name(name));
    }
}

/// Collects the names of leaves that are not known and have no known ancestor.
fn collect_unknown(node: &Node, at: &str, known: &BTreeSet<String>, found: &mut Vec<String>) {
    if known.contains(at) {
        return;
    }
    match node {
        Node::Text(_) => found.push(at.to_owned()),
        Node::Map(entries) => {
            for (key, node) in entries {
                let at = if at.is_empty() { key.clone() } else { format!("{at}[{key}]") };
                collect_unknown(node, &at, known, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StripeError;

    fn params() -> Params {
        let form = json!({
            "name": "Ann", "empty": "", "count": 3, "share": "12.5", "on": true, "mode": "payment",
            "items": [{ "price": "p1" }, { "price": "p2", "extra": 1 }], "ids": ["a", "b"],
            "metadata": { "0": "x" }, "nested": { "deep": { "est": "1" } },
        });
        Params::new(form.into())
    }

    #[test]
    fn values_are_read_as_typed() {
        let form = params();
        assert_eq!(form.text("name").unwrap().as_deref(), Some("Ann"));
        assert_eq!(form.integer("count").unwrap(), Some(3));
        assert_eq!(form.decimal("share").unwrap(), Some(12.5));
        assert_eq!(form.boolean("on").unwrap(), Some(true));
        assert_eq!(form.choice("mode", &["setup", "payment"]).unwrap(), Some("payment"));
        assert_eq!(form.text_or_unset("empty").unwrap(), Some(Value::Null));
        assert_eq!(form.text("absent").unwrap(), None);
        assert_eq!(form.texts("ids").unwrap().unwrap(), ["a", "b"]);
        assert_eq!(form.text_map("metadata").unwrap().unwrap(), [("0".to_owned(), "x".to_owned())]);
        assert!(form.is_unset("empty") && !form.is_unset("absent") && form.has("empty"));
        let items = form.objects("items").unwrap().unwrap();
        assert_eq!(items[1].need_text("price").unwrap(), "p2");
    }

    #[test]
    fn an_error_names_its_parameter() {
        let form = params();
        let items = form.objects("items").unwrap().unwrap();
        let deep = form.object("nested").unwrap().unwrap().object("deep").unwrap().unwrap();
        let cases: [(StripeError, &str); 8] = [
            (form.text("empty").unwrap_err(), "empty"),
            (form.text("items").unwrap_err(), "items"),
            (form.integer("name").unwrap_err(), "name"),
            (form.integer_from("count", 4).unwrap_err(), "count"),
            (form.object("name").unwrap_err(), "name"),
            (form.objects("metadata").unwrap_err(), "metadata"),
            (items[0].need_integer("quantity").unwrap_err(), "items[0][quantity]"),
            (deep.boolean("est").unwrap_err(), "nested[deep][est]"),
        ];
        for (error, param) in cases {
            assert_eq!(error.body["param"], param, "{error:?}");
            assert_eq!(error.status, StatusCode::BAD_REQUEST);
        }
    }

    #[test]
    fn unread_parameters_are_unknown() {
        let form = params();
        for item in form.objects("items").unwrap().unwrap() {
            item.text("price").unwrap();
        }
        form.ignore(&["name", "empty", "count", "share", "on", "mode", "nested", "metadata"]);
        assert!(!form.is_finished());
        let error = form.finish().unwrap_err();
        assert!(form.is_finished());
        let message = "Received unknown parameters: items[1][extra], ids[0], ids[1]";
        let sorted =
            |text: &str| text.split([' ', ',']).map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(sorted(error.body["message"].as_str().unwrap()), sorted(message));
    }
}
