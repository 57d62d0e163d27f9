//! Converts Redis replies to Lua values and back, by Redis's rules.
//!
//! Deliberately absent: RESP3's types, which need `redis.setresp`.

use mlua::{Lua, Table, Value};

use super::number;
use crate::upstash::resp::Reply;

/// Redis stops at a similar depth. Without a limit, a table that contains itself would recurse
/// forever.
const MAX_DEPTH: usize = 128;

/// Converts an argument of `redis.call`: a string, or a number with all its digits.
pub fn to_argument(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(number) => Some(number::format_g(*number as f64, 17).into_bytes()),
        Value::Number(number) => Some(number::format_g(*number, 17).into_bytes()),
        _ => None,
    }
}

/// Converts a reply to a Lua value. Nil becomes false, because a table cannot contain nil.
pub fn to_lua(lua: &Lua, reply: Reply) -> mlua::Result<Value> {
    Ok(match reply {
        Reply::Integer(number) => Value::Number(number as f64),
        Reply::String(bytes) => Value::String(lua.create_string(bytes)?),
        Reply::Nil => Value::Boolean(false),
        Reply::Status(text) => Value::Table(single_field(lua, "ok", &text)?),
        Reply::Error(text) => Value::Table(single_field(lua, "err", &text)?),
        Reply::Array(items) => {
            let table = lua.create_table()?;
            for item in items {
                table.raw_push(to_lua(lua, item)?)?;
            }
            Value::Table(table)
        }
    })
}

fn single_field(lua: &Lua, name: &str, text: &str) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set(name, text)?;
    Ok(table)
}

/// Converts a script's result to the reply to EVAL.
pub fn to_reply(value: &Value) -> mlua::Result<Reply> {
    nested_reply(value, 0)
}

fn nested_reply(value: &Value, depth: usize) -> mlua::Result<Reply> {
    if depth > MAX_DEPTH {
        return Ok(Reply::Error("ERR reached lua stack limit".to_owned()));
    }
    Ok(match value {
        Value::String(text) => Reply::string(text.as_bytes().to_vec()),
        Value::Integer(number) => Reply::Integer(*number),
        // Truncates, as C does.
        Value::Number(number) => Reply::Integer(*number as i64),
        Value::Boolean(true) => Reply::Integer(1),
        Value::Table(table) => table_reply(table, depth)?,
        _ => Reply::Nil,
    })
}

fn table_reply(table: &Table, depth: usize) -> mlua::Result<Reply> {
    if let Value::String(text) = table.raw_get("err")? {
        return Ok(Reply::Error(one_line(&text.to_string_lossy())));
    }
    if let Value::String(text) = table.raw_get("ok")? {
        return Ok(Reply::Status(one_line(&text.to_string_lossy())));
    }
    let mut items = Vec::new();
    loop {
        match table.raw_get(items.len() + 1)? {
            Value::Nil => return Ok(Reply::Array(items)),
            item => items.push(nested_reply(&item, depth + 1)?),
        }
    }
}

/// A status or an error is one line of the protocol, so it cannot contain a line break.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}
