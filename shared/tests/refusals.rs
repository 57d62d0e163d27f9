//! Checks that the refusals that SQL functions raise are exactly those that Rust parses.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};
use shared::domain::{Error, ErrorCode, Refusal};

/// A call of `refuse` or `refuse_input` in an SQL function.
struct Call {
    file: String,
    function: &'static str,
    word: String,
    details: Vec<String>,
}

impl Call {
    /// The message that Rust receives, with an example value for each detail.
    fn message(&self) -> Value {
        let (code, reason) = match self.function {
            "refuse" => (self.word.as_str(), None),
            _ => ("invalid_input", Some(&self.word)),
        };
        let mut message = Map::from_iter([("code".to_owned(), code.into())]);
        message.extend(reason.map(|reason| ("reason".to_owned(), json!(reason))));
        message.extend(self.details.iter().map(|name| (name.clone(), example(name))));
        message.into()
    }
}

fn example(detail: &str) -> Value {
    match detail {
        "balance" | "max_quantity" | "needed" => json!(1),
        "feature" | "status" | "unit" => json!("a"),
        "results" => json!([]),
        _ => panic!("no example of {detail}"),
    }
}

fn functions() -> impl Iterator<Item = (String, String)> {
    let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/functions");
    let folders = fs::read_dir(functions).unwrap();
    let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
    files.map(|file| {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().map(|line| line.split("--").next().unwrap_or_default());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, code.collect::<Vec<_>>().join("\n"))
    })
}

fn calls() -> Vec<Call> {
    let mut calls = Vec::new();
    for (file, text) in functions().filter(|(file, _)| !file.starts_with("refuse_input")) {
        for function in ["refuse", "refuse_input"] {
            let marker = format!("perform {function}(");
            for (start, _) in text.match_indices(&marker) {
                let arguments = balanced(&text[start + marker.len()..]);
                calls.push(read(&file, function, arguments));
            }
        }
    }
    calls
}

/// The text before the closing parenthesis of the call.
fn balanced(text: &str) -> &str {
    let mut depth = 1;
    let end = text.find(|letter| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        depth == 0
    });
    &text[..end.unwrap()]
}

fn read(file: &str, function: &'static str, arguments: &str) -> Call {
    let (word, rest) = arguments.split_once(',').unwrap_or((arguments, ""));
    let details = match rest.trim() {
        "" => Vec::new(),
        object => {
            let object = object.strip_prefix("jsonb_build_object(").unwrap_or_else(|| {
                panic!("{file}: {object} is not a literal object");
            });
            names(balanced(object)).iter().map(|name| literal(file, name)).collect()
        }
    };
    Call { file: file.to_owned(), function, word: literal(file, word), details }
}

/// Every second argument, starting with the first.
fn names(arguments: &str) -> Vec<&str> {
    let mut depth = 0;
    let parts = arguments.split(move |letter| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        depth == 0 && letter == ','
    });
    parts.step_by(2).collect()
}

fn literal(file: &str, text: &str) -> String {
    let literal = text.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    literal.unwrap_or_else(|| panic!("{file}: {text} is not a literal")).to_owned()
}

/// The values that Rust accepts in this field of a refusal, taken from serde's error message.
fn known(refusal: Value, field: &str) -> BTreeSet<String> {
    let Err(error) = serde_json::from_value::<Refusal>(refusal) else { panic!("{field}") };
    let message = error.to_string();
    message.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[test]
fn rust_parses_every_refusal_that_sql_raises() {
    let calls = calls();
    assert!(calls.len() > 30, "{} refusals", calls.len());
    for call in calls {
        let (file, message) = (&call.file, call.message());
        let refusal: Refusal = serde_json::from_value(message.clone())
            .unwrap_or_else(|error| panic!("{file} raises {message}: {error}"));
        assert_eq!(serde_json::to_value(&refusal).unwrap(), message, "{file}");
        let code: ErrorCode = serde_json::from_value(message["code"].clone()).unwrap();
        let error = Error::from(refusal);
        assert_eq!(error.code, code, "{file}");
        assert_ne!(code, ErrorCode::Internal, "{file}");
    }
}

#[test]
fn sql_raises_every_refusal_that_rust_parses() {
    let raised = |function: &str| -> BTreeSet<String> {
        calls().into_iter().filter(|call| call.function == function).map(|call| call.word).collect()
    };
    let mut codes = raised("refuse");
    codes.insert("invalid_input".to_owned());
    assert_eq!(codes, known(json!({ "code": "" }), "code"));
    assert_eq!(
        raised("refuse_input"),
        known(json!({ "code": "invalid_input", "reason": "" }), "reason")
    );
}

/// Rust parses the message of a refusal, so no other function may raise its SQLSTATE.
#[test]
fn only_refuse_raises_a_refusal() {
    for (file, text) in functions().filter(|(file, _)| file != "refuse") {
        for sqlstate in ["FB001", "FB002", "FB003", "FB005", "FB008"] {
            assert!(!text.contains(sqlstate), "{file} raises {sqlstate}");
        }
    }
}
