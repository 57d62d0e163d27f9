//! The Lua interpreter: compiles scripts, gives them Redis's functions, and runs them within limits
//! of time and memory.
//!
//! `prelude.lua` and `native.rs` define the functions. Deliberately absent: a limit within one call
//! of Lua's own library, such as `string.find` with a pattern that backtracks without end.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mlua::chunk::ChunkMode;
use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Value, VmState};

use super::convert;
use super::failure::{Failure, Outcome};
use super::native::{self, Current, SOURCE_NAME};
use super::store::Store;
use crate::upstash::resp::Reply;

const MAX_MEMORY_BYTES: usize = 256 * 1024 * 1024;
const INSTRUCTIONS_BETWEEN_CHECKS: u32 = 100_000;
const KNOWN_FLAGS: &[&str] =
    &["no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys", KEY_LOCKING];
const KEY_LOCKING: &str = "allow-key-locking";

/// A compiled script.
pub struct Script {
    function: Function,
    /// Upstash locks only the declared keys for such a script, so it must not use any other key.
    declared_keys_only: bool,
}

pub struct Interpreter {
    lua: Lua,
    execute: Function,
    max_run_time: Duration,
    current: Rc<Current>,
}

impl Interpreter {
    pub fn new(store: Rc<RefCell<Store>>, max_run_time: Duration) -> mlua::Result<Interpreter> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::default())?;
        lua.set_memory_limit(MAX_MEMORY_BYTES)?;
        let current = Rc::new(Current::new(store));
        let native = native::functions(&lua, &current)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name("@prelude");
        let execute = prelude.call(native)?;
        Ok(Interpreter { lua, execute, max_run_time, current })
    }

    pub fn compile(&self, source: &[u8]) -> Result<Script, Failure> {
        let (flags, body) = shebang(source)?;
        let chunk = self.lua.load(body).set_name(SOURCE_NAME).set_mode(ChunkMode::Text);
        let function = chunk.into_function().map_err(|error| {
            Failure(format!(
                "ERR Error compiling script (new function): {}",
                native::message(&error)
            ))
        })?;
        Ok(Script { function, declared_keys_only: flags.iter().any(|flag| flag == KEY_LOCKING) })
    }

    pub fn run(
        &self,
        script: &Script,
        sha: &str,
        keys: &[Vec<u8>],
        arguments: &[Vec<u8>],
        now_us: i64,
    ) -> Outcome {
        let declared_keys = script.declared_keys_only.then(|| keys.to_vec());
        self.current.start(sha, declared_keys, now_us);
        let outcome = self.run_within_limits(script, keys, arguments);
        self.lua.remove_hook();
        outcome.map_err(|error| Failure(format!("ERR {}", native::message(&error))))
    }

    fn run_within_limits(
        &self,
        script: &Script,
        keys: &[Vec<u8>],
        arguments: &[Vec<u8>],
    ) -> mlua::Result<Reply> {
        let (keys, arguments) = (self.strings(keys)?, self.strings(arguments)?);
        limit_run_time(&self.lua, self.max_run_time)?;
        match self.execute.call((&script.function, keys, arguments))? {
            (true, value) => convert::to_reply(&value),
            (false, described @ Value::Table(_)) => convert::to_reply(&described),
            // Lua had no memory left to describe the error.
            (false, error) => Ok(Reply::Error(format!("ERR {}", native::text_of(&error)))),
        }
    }

    fn strings(&self, strings: &[Vec<u8>]) -> mlua::Result<mlua::Table> {
        let strings = strings.iter().map(|bytes| self.lua.create_string(bytes));
        self.lua.create_sequence_from(strings.collect::<mlua::Result<Vec<_>>>()?)
    }
}

/// Stops the script after its time. A script can catch the error of a hook, so every later
/// instruction raises one.
fn limit_run_time(lua: &Lua, max_run_time: Duration) -> mlua::Result<()> {
    let deadline = Instant::now() + max_run_time;
    let out_of_time = move || {
        let message = format!("the script ran for more than {max_run_time:?} and was stopped");
        Err(mlua::Error::runtime(message))
    };
    let triggers = HookTriggers::new().every_nth_instruction(INSTRUCTIONS_BETWEEN_CHECKS);
    lua.set_hook(triggers, move |lua, _| {
        if Instant::now() < deadline {
            return Ok(VmState::Continue);
        }
        let every_instruction = HookTriggers::new().every_nth_instruction(1);
        lua.set_hook(every_instruction, move |_, _| out_of_time())?;
        out_of_time()
    })
}

/// Returns the flags of a first line `#!lua flags=a,b`, and the script with that line blank.
fn shebang(source: &[u8]) -> Result<(Vec<String>, &[u8]), Failure> {
    if !source.starts_with(b"#!") {
        return Ok((Vec::new(), source));
    }
    let end = source.iter().position(|byte| *byte == b'\n').unwrap_or(source.len());
    let (line, body) = source.split_at(end);
    let line = String::from_utf8_lossy(&line[2..]).into_owned();
    let mut words = line.split_ascii_whitespace();
    let engine = words.next().unwrap_or_default();
    if engine != "lua" {
        return Err(Failure(format!("ERR Unexpected engine in script shebang: #!{engine}")));
    }
    let mut flags = Vec::new();
    for word in words {
        let Some(list) = word.strip_prefix("flags=") else {
            return Err(Failure(format!("ERR Unknown lua shebang option: {word}")));
        };
        for flag in list.split(',').filter(|flag| !flag.is_empty()) {
            if !KNOWN_FLAGS.contains(&flag) {
                return Err(Failure(format!("ERR Unexpected flag in script shebang: {flag}")));
            }
            flags.push(flag.to_owned());
        }
    }
    Ok((flags, body))
}
