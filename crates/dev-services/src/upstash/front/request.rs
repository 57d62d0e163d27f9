//! Parses a request into commands: from its path, its query and its body.
//!
//! Deliberately absent: any knowledge of commands. Arguments are passed on unchanged.

use axum::http::Uri;
use serde_json::{Number, Value};
use url::form_urlencoded;

use super::answer::Refusal;
use crate::upstash::Command;

/// The commands of one request.
#[derive(Debug, PartialEq)]
pub enum Work {
    Single(Command),
    Pipeline(Vec<Command>),
    Transaction(Vec<Command>),
}

impl Work {
    pub fn parse(uri: &Uri, body: &[u8]) -> Result<Work, Refusal> {
        match uri.path() {
            "" | "/" => Ok(Work::Single(command_in_body(body)?)),
            "/pipeline" => Ok(Work::Pipeline(commands_in_body(body, "pipeline")?)),
            "/multi-exec" => Ok(Work::Transaction(commands_in_body(body, "multi-exec")?)),
            _ => Ok(Work::Single(command_in_path(uri, body))),
        }
    }
}

/// Parses a path: `/set/key?EX=100` with the body `value` is SET key value EX 100.
pub fn command_in_path(uri: &Uri, body: &[u8]) -> Command {
    let path = uri.path().trim_start_matches('/');
    let mut command: Command = path.split('/').map(percent_decoded).collect();
    if !body.is_empty() {
        command.push(body.to_vec());
    }
    let query = uri.query().unwrap_or_default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name == "_token" {
            continue;
        }
        command.push(name.into_owned().into_bytes());
        if !value.is_empty() {
            command.push(value.into_owned().into_bytes());
        }
    }
    command
}

fn command_in_body(body: &[u8]) -> Result<Command, Refusal> {
    let unparsable = || Refusal::bad_request("ERR failed to parse command");
    let value = serde_json::from_slice(body).map_err(|_| unparsable())?;
    command(value).unwrap_or_else(|| Err(unparsable()))
}

fn commands_in_body(body: &[u8], endpoint: &str) -> Result<Vec<Command>, Refusal> {
    let unparsable = || Refusal::bad_request(format!("ERR failed to parse {endpoint} request"));
    let values: Vec<Value> = serde_json::from_slice(body).map_err(|_| unparsable())?;
    if values.is_empty() {
        return Err(Refusal::bad_request(format!("ERR empty {endpoint} request")));
    }
    let parse = |value| command(value).unwrap_or_else(|| Err(unparsable()));
    values.into_iter().map(parse).collect()
}

/// Returns `None` if the value is not an array.
fn command(value: Value) -> Option<Result<Command, Refusal>> {
    let Value::Array(arguments) = value else {
        return None;
    };
    if arguments.is_empty() {
        return Some(Err(Refusal::bad_request("ERR empty command")));
    }
    Some(arguments.into_iter().map(argument).collect())
}

fn argument(value: Value) -> Result<Vec<u8>, Refusal> {
    match value {
        Value::Null => Err(Refusal::bad_request("ERR null args are not supported")),
        Value::String(text) => Ok(text.into_bytes()),
        Value::Number(number) => Ok(number_text(&number).into_bytes()),
        other => Ok(other.to_string().into_bytes()),
    }
}

/// Formats a number as JavaScript does. serde_json parses integers beyond 64 bits as floats.
fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() && (1e18..1e21).contains(&float.abs()) => {
            format!("{float:.0}")
        }
        _ => number.to_string(),
    }
}

/// Returns bytes, because an argument need not be UTF-8. A `%` without two digits remains a `%`.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.get(..2)).flatten();
        let byte = escaped
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(path: &str, body: &str) -> Vec<String> {
        match Work::parse(&path.parse().unwrap(), body.as_bytes()).unwrap() {
            Work::Single(command) => {
                command.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_command_may_be_in_the_path_the_body_and_the_query() {
        assert_eq!(single("/set/a%2Fb/c%20d+%zz", ""), ["set", "a/b", "c d+%zz"]);
        assert_eq!(
            single("/set/foo?EX=100&NX&_token=secret", "{\"a\":1}"),
            ["set", "foo", "{\"a\":1}", "EX", "100", "NX"]
        );
        assert_eq!(percent_decoded("%ff%0"), b"\xff%0");
    }

    #[test]
    fn every_json_value_but_null_is_an_argument() {
        assert_eq!(
            single("/", r#"["SET", 1, -2.5, true, {"a":[1]}, [], 100000000000000000000]"#),
            ["SET", "1", "-2.5", "true", "{\"a\":[1]}", "[]", "100000000000000000000"]
        );
        assert!(Work::parse(&"/".parse().unwrap(), br#"["GET", null]"#).is_err());
    }

    #[test]
    fn lists_are_arrays_of_arrays() {
        let pipeline = Work::parse(&"/pipeline".parse().unwrap(), br#"[["PING"],["PING"]]"#);
        let ping = || vec![b"PING".to_vec()];
        assert_eq!(pipeline.unwrap(), Work::Pipeline(vec![ping(), ping()]));
        for (path, body) in [
            ("/", "nonsense"),
            ("/", "{}"),
            ("/", "[]"),
            ("/pipeline", r#"["PING"]"#),
            ("/pipeline", "[]"),
            ("/multi-exec", "[[]]"),
        ] {
            let refused = Work::parse(&path.parse().unwrap(), body.as_bytes());
            assert!(refused.is_err(), "{path} {body}");
        }
    }
}
