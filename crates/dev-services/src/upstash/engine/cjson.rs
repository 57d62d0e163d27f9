//! The `cjson` module of Redis's scripts, with its rules for arrays, numbers and escapes.
//!
//! mlua's `serialize` feature with serde_json cannot replace it, because scripts see the
//! difference. It rejects or mangles strings that are not UTF-8, takes a table's length from its
//! border (so `{[1]=1,[4]=2}` loses an item), writes 17 digits where cjson writes 14, does not
//! escape `/`, stops at 128 levels where cjson stops at 1,000, and has other error messages.
//!
//! Deliberately absent: the module's settings, which all scripts of a Redis share, and numbers that
//! are not JSON (`0x10`, `NaN`), which the original reads by default.

mod read;

use mlua::{Table, Value};

use super::number;

pub use read::decode;

const MAX_DEPTH: usize = 1000;
/// A table with gaps is written as an array unless it is larger than this and mostly gaps.
const SAFE_ARRAY_LENGTH: i64 = 10;
const SPARSE_RATIO: i64 = 2;

/// The inner error is the message that cjson raises; the outer one comes from the interpreter.
type Encoded = mlua::Result<Result<Vec<u8>, String>>;

pub fn encode(value: &Value) -> Encoded {
    let mut out = Vec::new();
    Ok(append(&mut out, value, 0)?.map(|()| out))
}

type Appended = mlua::Result<Result<(), String>>;

fn append(out: &mut Vec<u8>, value: &Value, depth: usize) -> Appended {
    match value {
        Value::Nil => out.extend_from_slice(b"null"),
        null if null.is_null() => out.extend_from_slice(b"null"),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Integer(number) => out.extend_from_slice(decimal(*number as f64).as_bytes()),
        Value::Number(number) if !number.is_finite() => {
            return refuse("Cannot serialise number: must not be NaN or Inf");
        }
        Value::Number(number) => out.extend_from_slice(decimal(*number).as_bytes()),
        Value::String(text) => append_string(out, &text.as_bytes()),
        Value::Table(_) if depth >= MAX_DEPTH => {
            return refuse(&format!("Cannot serialise, excessive nesting ({})", depth + 1));
        }
        Value::Table(table) => return append_table(out, table, depth + 1),
        other => {
            let kind = other.type_name();
            return refuse(&format!("Cannot serialise {kind}: type not supported"));
        }
    }
    Ok(Ok(()))
}

fn refuse(message: &str) -> Appended {
    Ok(Err(message.to_owned()))
}

fn decimal(number: f64) -> String {
    number::format_g(number, 14)
}

fn append_table(out: &mut Vec<u8>, table: &Table, depth: usize) -> Appended {
    match array_length(table)? {
        Shape::Array(length) => append_array(out, table, length, depth),
        Shape::Object => append_object(out, table, depth),
        Shape::Sparse => refuse("Cannot serialise table: excessively sparse array"),
    }
}

enum Shape {
    Array(i64),
    Object,
    Sparse,
}

/// A table is an array if all its keys are positive integers. The empty table is an object.
fn array_length(table: &Table) -> mlua::Result<Shape> {
    let (mut items, mut longest) = (0, 0);
    for pair in table.pairs::<Value, Value>() {
        match pair?.0 {
            Value::Integer(index) if index > 0 => {
                items += 1;
                longest = longest.max(index);
            }
            _ => return Ok(Shape::Object),
        }
    }
    Ok(match longest {
        0 => Shape::Object,
        _ if longest > SAFE_ARRAY_LENGTH && longest > items * SPARSE_RATIO => Shape::Sparse,
        _ => Shape::Array(longest),
    })
}

fn append_array(out: &mut Vec<u8>, table: &Table, length: i64, depth: usize) -> Appended {
    out.push(b'[');
    for index in 1..=length {
        if index > 1 {
            out.push(b',');
        }
        if let Err(message) = append(out, &table.raw_get(index)?, depth)? {
            return Ok(Err(message));
        }
    }
    out.push(b']');
    Ok(Ok(()))
}

fn append_object(out: &mut Vec<u8>, table: &Table, depth: usize) -> Appended {
    out.push(b'{');
    let mut is_first = true;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        match key {
            Value::String(text) => append_string(out, &text.as_bytes()),
            Value::Integer(number) => append_string(out, decimal(number as f64).as_bytes()),
            Value::Number(number) => append_string(out, decimal(number).as_bytes()),
            other => {
                let kind = other.type_name();
                let message = "table key must be a number or string";
                return refuse(&format!("Cannot serialise {kind}: {message}"));
            }
        }
        out.push(b':');
        if let Err(message) = append(out, &value, depth)? {
            return Ok(Err(message));
        }
    }
    out.push(b'}');
    Ok(Ok(()))
}

/// Copies bytes above 127 unchanged, UTF-8 or not.
fn append_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' | b'/' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..=0x1f | 0x7f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use mlua::Lua;

    use super::*;

    fn encoded(expression: &str) -> Result<String, String> {
        let lua = Lua::new();
        lua.globals().set("null", Value::NULL).unwrap();
        let value: Value = lua.load(expression).eval().unwrap();
        encode(&value).unwrap().map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn tables_with_positions_for_keys_are_arrays() {
        assert_eq!(encoded("{}").unwrap(), "{}");
        assert_eq!(encoded("{1,'a',{},{x={}}}").unwrap(), r#"[1,"a",{},{"x":{}}]"#);
        assert_eq!(encoded("{[1]=1,[4]=2}").unwrap(), "[1,null,null,2]");
        assert_eq!(encoded("{[0]=1}").unwrap(), r#"{"0":1}"#);
        assert_eq!(encoded("{[1.5]=1}").unwrap(), r#"{"1.5":1}"#);
        assert!(encoded("{[1]=1,[1000]=2}").unwrap_err().contains("sparse"));
        assert!(encoded("{[true]=1}").is_err());
    }

    #[test]
    fn numbers_have_fourteen_digits() {
        assert_eq!(encoded("{0.1, -3, 1e15, 1/3}").unwrap(), "[0.1,-3,1e+15,0.33333333333333]");
        assert!(encoded("1/0").is_err());
    }

    #[test]
    fn strings_are_escaped_and_null_is_null() {
        assert_eq!(encoded(r#"'a/"\\\n\1\127'"#).unwrap(), r#""a\/\"\\\n\u0001\u007f""#);
        assert_eq!(encoded("{null, true, false}").unwrap(), "[null,true,false]");
        assert!(encoded("print").unwrap_err().contains("function"));
    }

    #[test]
    fn a_table_that_contains_itself_is_refused() {
        let message = encoded("(function() local t = {} t[1] = t return t end)()").unwrap_err();
        assert_eq!(message, "Cannot serialise, excessive nesting (1001)");
    }
}
