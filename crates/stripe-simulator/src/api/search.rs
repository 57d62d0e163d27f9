//! Stripe's search: `email:'ann@example.com' AND metadata['userId']:'user_1'`.
//!
//! Stripe's search lags by up to a minute; this one finds new objects immediately.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::api::{Call, list};
use crate::error::StripeError;
use crate::world::text;

/// Returns a page of the objects that match the query. `objects` must be ordered newest first.
pub fn response<'a>(
    call: &Call,
    url: &str,
    fields: &[&str],
    objects: impl Iterator<Item = &'a Value>,
) -> Result<Value, StripeError> {
    let query = Query::parse(&call.form.need_text("query")?, fields)?;
    let limit = list::limit(&call.form)?;
    let page = call.form.text("page")?;
    call.form.finish()?;
    let found: Vec<&Value> = objects.filter(|object| query.holds(object)).collect();
    let start = match &page {
        None => 0,
        Some(last) => {
            let place = found.iter().position(|object| text(object, "id") == last);
            place.ok_or_else(|| refused(format!("Invalid page token: {last}")))? + 1
        }
    };
    let shown = &found[start..found.len().min(start + limit)];
    let has_more = start + limit < found.len();
    let next_page = shown.last().filter(|_| has_more).map(|last| text(last, "id"));
    Ok(json!({
        "object": "search_result",
        "data": shown,
        "has_more": has_more,
        "next_page": next_page,
        "total_count": found.len(),
        "url": url,
    }))
}

/// Clauses joined by AND or by OR.
#[derive(Debug)]
struct Query {
    clauses: Vec<Clause>,
    any: bool,
}

#[derive(Debug)]
struct Clause {
    not: bool,
    field: String,
    /// The metadata key.
    key: Option<String>,
    operator: &'static str,
    /// `None` matches a field that is null.
    value: Option<String>,
}

impl Query {
    fn parse(query: &str, fields: &[&str]) -> Result<Self, StripeError> {
        let unreadable = || refused(format!("Invalid search query: {query}"));
        let mut rest = query.trim();
        let (mut clauses, mut joined) = (Vec::new(), None);
        loop {
            let (clause, after) = Clause::parse(rest).ok_or_else(unreadable)?;
            if !fields.contains(&clause.field.as_str()) {
                let message = format!("Field `{}` is an unsupported search field.", clause.field);
                return Err(refused(message));
            }
            clauses.push(clause);
            let Some(after) = after.strip_prefix(|c: char| c.is_whitespace()) else {
                let ended = after.is_empty();
                let any = joined == Some("OR");
                return ended.then_some(Self { clauses, any }).ok_or_else(unreadable);
            };
            let after = after.trim_start();
            let joins =
                ["AND", "OR"].into_iter().find(|word| after.starts_with(&format!("{word} ")));
            let join = joins.unwrap_or("AND");
            if joined.is_some_and(|joined| joined != join) {
                return Err(refused("A search query cannot combine AND and OR.".to_owned()));
            }
            joined = Some(join);
            rest = after.strip_prefix(join).unwrap_or(after).trim_start();
        }
    }

    fn holds(&self, object: &Value) -> bool {
        let mut clauses = self.clauses.iter();
        if self.any {
            clauses.any(|clause| clause.holds(object))
        } else {
            clauses.all(|clause| clause.holds(object))
        }
    }
}

impl Clause {
    /// Parses the clause at the start of a text. Returns it with the rest.
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (not, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')?;
        let (field, mut rest) = text.split_at(end);
        let mut key = None;
        if let Some(bracketed) = rest.strip_prefix('[') {
            let (name, after) = quoted(bracketed)?;
            (key, rest) = (Some(name), after.strip_prefix(']')?);
        }
        let operators = ["!=", ">=", "<=", ":", "~", ">", "<"];
        let operator = operators.into_iter().find(|operator| rest.starts_with(operator))?;
        let rest = &rest[operator.len()..];
        let (value, rest) = match rest.starts_with(['\'', '"']) {
            true => quoted(rest).map(|(value, rest)| (Some(value), rest))?,
            false => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                let (bare, rest) = rest.split_at(end);
                ((bare != "null").then(|| bare.to_owned()), rest)
            }
        };
        Some((Self { not, field: field.to_owned(), key, operator, value }, rest))
    }

    fn holds(&self, object: &Value) -> bool {
        let mut found = &object[&self.field];
        if let Some(key) = &self.key {
            found = &found[key];
        }
        let holds = match &self.value {
            None => found.is_null(),
            Some(value) => compare(found, self.operator, value),
        };
        holds != self.not
    }
}

fn compare(found: &Value, operator: &str, value: &str) -> bool {
    if let Some(number) = found.as_i64() {
        let Ok(value) = value.parse::<i64>() else { return false };
        return match operator {
            ">" => number > value,
            ">=" => number >= value,
            "<" => number < value,
            "<=" => number <= value,
            "!=" => number != value,
            _ => number == value,
        };
    }
    let found = match found {
        Value::String(text) => text.to_lowercase(),
        Value::Bool(truth) => truth.to_string(),
        _ => return false,
    };
    let value = value.to_lowercase();
    match operator {
        ":" => found == value,
        "~" => found.contains(&value),
        "!=" => found != value,
        _ => false,
    }
}

/// Parses the quoted text at the start, with backslash escapes. Returns it with the rest.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (mut value, mut escaped) = (String::new(), false);
    for (place, c) in text.char_indices().skip(1) {
        if escaped {
            value.push(c);
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return Some((value, &text[place + 1..]));
        } else {
            value.push(c);
        }
    }
    None
}

fn refused(message: String) -> StripeError {
    let body = json!({ "type": "invalid_request_error", "param": "query", "message": message });
    StripeError { status: StatusCode::BAD_REQUEST, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_matches_by_its_clauses() {
        let ann = json!({
            "email": "Ann@example.com", "created": 100, "active": true, "name": null,
            "metadata": { "userId": "o'hara", "plan": "pro" },
        });
        let cases = [
            ("email:'ann@example.com'", true),
            ("email:\"bob@example.com\"", false),
            ("email~'example'", true),
            ("-email~'example'", false),
            (r"metadata['userId']:'o\'hara'", true),
            ("metadata['userId']:'x' OR metadata[\"plan\"]:\"pro\"", true),
            ("metadata['plan']:'pro' AND created>99", true),
            ("metadata['plan']:'pro' created>100", false),
            ("created<=100 AND active:'true'", true),
            ("metadata['none']:null", true),
            ("-name:null", false),
        ];
        let fields = ["email", "created", "active", "name", "metadata"];
        for (query, expected) in cases {
            assert_eq!(Query::parse(query, &fields).unwrap().holds(&ann), expected, "{query}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let queries = ["", "email", "email:'x", "phone:'1'", "email:'a' AND", "email:'a'x"];
        for query in queries.into_iter().chain(["email:'a' AND email:'b' OR email:'c'"]) {
            assert!(Query::parse(query, &["email"]).is_err(), "{query}");
        }
    }
}
