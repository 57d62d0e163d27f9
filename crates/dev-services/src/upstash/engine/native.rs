//! The functions for scripts that are not written in Lua: `redis.call` and others, and `cjson`.
//!
//! They raise mlua's errors, which are opaque objects in Lua. `prelude.lua` converts them to text
//! wherever a script can catch one. Deliberately absent: `redis.log`, `redis.setresp`, `struct`,
//! `cmsgpack` and `bit`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::{Lua, MultiValue, Value};

use super::commands::{Keys, Spec};
use super::failure::{Failure, Outcome};
use super::store::Store;
use super::{cjson, convert};
use crate::upstash::resp::Reply;
use crate::upstash::scripts::sha1_hex;

/// The name of a script in error messages.
pub const SOURCE_NAME: &str = "@user_script";
/// The number of stack levels to search for the script.
const MAX_STACK_LEVELS: usize = 200;

/// The state of the running script that the functions need.
pub struct Current {
    store: Rc<RefCell<Store>>,
    now_us: Cell<i64>,
    sha: RefCell<String>,
    declared_keys: RefCell<Option<Vec<Vec<u8>>>>,
}

impl Current {
    pub fn new(store: Rc<RefCell<Store>>) -> Current {
        Current {
            store,
            now_us: Cell::new(0),
            sha: RefCell::default(),
            declared_keys: RefCell::default(),
        }
    }

    pub fn start(&self, sha: &str, declared_keys: Option<Vec<Vec<u8>>>, now_us: i64) {
        self.sha.replace(sha.to_owned());
        self.declared_keys.replace(declared_keys);
        self.now_us.set(now_us);
    }

    fn run(&self, arguments: &MultiValue) -> Outcome {
        let command: Option<Vec<_>> = arguments.iter().map(convert::to_argument).collect();
        let refuse = |text: &str| Err(Failure(format!("ERR {text}")));
        let Some(command) = command else {
            return refuse("Lua redis lib command arguments must be strings or integers");
        };
        let Some(name) = command.first() else {
            return refuse("Please specify at least one argument for this redis lib call");
        };
        let Some(spec) = Spec::find(name) else {
            let not_in_scripts: &[&[u8]] = &[b"EVAL", b"EVALSHA", b"SCRIPT"];
            return match not_in_scripts.contains(&name.to_ascii_uppercase().as_slice()) {
                true => refuse("This Redis command is not allowed from script"),
                false => refuse("Unknown Redis command called from script"),
            };
        };
        if !spec.accepts(command.len() - 1) {
            return refuse("Wrong number of args calling Redis command from script");
        }
        let keys = match spec.keys {
            Keys::None => &[],
            Keys::First => &command[1..2],
            Keys::All => &command[1..],
        };
        if let Some(declared) = self.declared_keys.borrow().as_ref()
            && let Some(key) = keys.iter().find(|key| !declared.contains(key))
        {
            let key = String::from_utf8_lossy(key);
            return refuse(&format!("Script attempted to access an undeclared key: '{key}'"));
        }
        spec.run(&mut self.store.borrow_mut(), &command, self.now_us.get())
    }
}

/// Builds the table that `prelude.lua` receives.
pub fn functions(lua: &Lua, current: &Rc<Current>) -> mlua::Result<mlua::Table> {
    let table = lua.create_table()?;
    let caller = Rc::clone(current);
    let call = move |lua: &Lua, arguments: MultiValue| match caller.run(&arguments) {
        Ok(reply) => convert::to_lua(lua, reply),
        Err(failure) => Err(mlua::Error::external(failure)),
    };
    let caller = Rc::clone(current);
    let pcall = move |lua: &Lua, arguments: MultiValue| {
        let reply = caller.run(&arguments).unwrap_or_else(|Failure(text)| Reply::Error(text));
        convert::to_lua(lua, reply)
    };
    let failed = Rc::clone(current);
    let describe = move |lua: &Lua, raised: Value| {
        let description = describe(lua, &raised, &failed.sha.borrow());
        convert::to_lua(lua, Reply::Error(description))
    };
    table.raw_set("call", lua.create_function(call)?)?;
    table.raw_set("pcall", lua.create_function(pcall)?)?;
    table.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    table.raw_set("encode", lua.create_function(encode)?)?;
    table.raw_set("decode", lua.create_function(decode)?)?;
    table.raw_set("null", Value::NULL)?;
    table.raw_set("caught", lua.create_function(caught)?)?;
    table.raw_set("describe", lua.create_function(describe)?)?;
    Ok(table)
}

fn sha1hex(lua: &Lua, arguments: MultiValue) -> mlua::Result<Value> {
    match arguments.iter().map(convert::to_argument).collect::<Option<Vec<_>>>().as_deref() {
        Some([text]) => Ok(Value::String(lua.create_string(sha1_hex(text))?)),
        _ => {
            let message = "ERR wrong number of arguments";
            Err(mlua::Error::external(Failure(message.to_owned())))
        }
    }
}

fn encode(lua: &Lua, arguments: MultiValue) -> mlua::Result<Value> {
    let (1, Some(value)) = (arguments.len(), arguments.front()) else {
        return Err(raise(lua, "bad argument #1 to 'encode' (expected 1 argument)"));
    };
    let text = cjson::encode(value)?.map_err(|message| raise(lua, &message))?;
    Ok(Value::String(lua.create_string(text)?))
}

fn decode(lua: &Lua, arguments: MultiValue) -> mlua::Result<Value> {
    let (1, Some(value)) = (arguments.len(), arguments.front()) else {
        return Err(raise(lua, "bad argument #1 to 'decode' (expected 1 argument)"));
    };
    let text = convert::to_argument(value).ok_or_else(|| {
        let found = value.type_name();
        raise(lua, &format!("bad argument #1 to 'decode' (string expected, got {found})"))
    })?;
    cjson::decode(lua, &text)?.map_err(|message| raise(lua, &message))
}

/// Returns an error with the script's line number, as Lua's own errors have it. The number is
/// absent if `pcall` called the function instead of the script.
fn raise(lua: &Lua, message: &str) -> mlua::Error {
    let place = line_at(lua, 1).map(|line| format!("user_script:{line}: "));
    mlua::Error::runtime(format!("{}{message}", place.unwrap_or_default()))
}

/// The script's current line, if the script runs at this level of the stack.
fn line_at(lua: &Lua, level: usize) -> Option<usize> {
    let line = lua.inspect_stack(level, |frame| {
        let source = frame.source().source;
        let is_script = source.is_some_and(|source| source == SOURCE_NAME);
        is_script.then(|| frame.current_line()).flatten()
    });
    line.flatten()
}

/// Converts a raised error to the value that a script receives when it catches the error.
fn caught(lua: &Lua, raised: Value) -> mlua::Result<Value> {
    match &raised {
        Value::Error(error) => Ok(Value::String(lua.create_string(message(error))?)),
        Value::Table(table) => match table.raw_get("err")? {
            Value::Nil => Ok(raised),
            text => Ok(text),
        },
        _ => Ok(raised),
    }
}

/// The message that a client receives for an error that the script did not catch, in Redis 7's
/// form.
fn describe(lua: &Lua, raised: &Value, sha: &str) -> String {
    let text = match raised {
        Value::Table(table) => match table.raw_get("err") {
            Ok(Value::String(text)) => text.to_string_lossy(),
            _ => "ERR unknown error".to_owned(),
        },
        Value::Error(error) if failure(error).is_some() => message(error),
        other => format!("ERR {}", text_of(other)),
    };
    let line = (1..MAX_STACK_LEVELS).find_map(|level| line_at(lua, level));
    let place = line.map(|line| format!(", on {SOURCE_NAME}:{line}."));
    let place = place.unwrap_or_default();
    format!("{text} script: {sha}{place}")
}

pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string_lossy(),
        Value::Error(error) => message(error),
        other => other.to_string().unwrap_or_default(),
    }
}

/// Lua's own message, without the stack trace that mlua adds.
pub fn message(error: &mlua::Error) -> String {
    match error {
        mlua::Error::CallbackError { cause, .. } => message(cause),
        mlua::Error::RuntimeError(text) | mlua::Error::MemoryError(text) => text.clone(),
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

/// The command's error reply, if a command raised the error.
fn failure(error: &mlua::Error) -> Option<&Failure> {
    match error {
        mlua::Error::CallbackError { cause, .. } => failure(cause),
        mlua::Error::ExternalError(error) => error.downcast_ref(),
        _ => None,
    }
}
