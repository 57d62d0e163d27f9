//! Runs every command: those of the table, and EVAL, EVALSHA and SCRIPT.
//!
//! Deliberately absent: EVAL_RO, functions, and SCRIPT KILL, because the engine stops a script that
//! runs too long.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use super::commands::Spec;
use super::failure::{Failure, Outcome};
use super::lua::{Interpreter, Script};
use super::number;
use super::store::Store;
use crate::upstash::Command;
use crate::upstash::resp::Reply;
use crate::upstash::scripts::sha1_hex;

/// Only a program that builds scripts from data has more.
const MAX_LOADED: usize = 4096;
const SHA_LENGTH: usize = 40;

pub struct Scripting {
    store: Rc<RefCell<Store>>,
    interpreter: Interpreter,
    loaded: HashMap<String, Script>,
}

/// The code that runs a command.
pub enum Target {
    Plain(&'static Spec),
    Eval,
    EvalSha,
    ScriptLoad,
    ScriptExists,
    ScriptFlush,
}

impl Scripting {
    pub fn new(store: Rc<RefCell<Store>>, max_run_time: Duration) -> mlua::Result<Scripting> {
        let interpreter = Interpreter::new(Rc::clone(&store), max_run_time)?;
        Ok(Scripting { store, interpreter, loaded: HashMap::new() })
    }

    pub fn run(&mut self, command: &Command, now_us: i64) -> Reply {
        let outcome = self.check(command).and_then(|target| match target {
            Target::Plain(spec) => spec.run(&mut self.store.borrow_mut(), command, now_us),
            Target::Eval => {
                let sha = self.load(&command[1])?;
                self.evaluate(&sha, &command[2..], now_us)
            }
            Target::EvalSha => {
                let sha = String::from_utf8_lossy(&command[1]).to_ascii_lowercase();
                self.evaluate(&sha, &command[2..], now_us)
            }
            Target::ScriptLoad => Ok(Reply::string(self.load(&command[2])?)),
            Target::ScriptExists => Ok(self.which_exist(&command[2..])),
            Target::ScriptFlush => self.flush(&command[2..]),
        });
        outcome.unwrap_or_else(|Failure(message)| Reply::Error(message))
    }

    /// Checks a command as Redis does before it queues or runs it.
    pub fn check(&self, command: &Command) -> Result<Target, Failure> {
        let name = command.first().map(Vec::as_slice).unwrap_or_default();
        let text = String::from_utf8_lossy(name);
        let arguments = command.len().saturating_sub(1);
        let (target, accepted) = match text.to_ascii_uppercase().as_str() {
            "EVAL" => (Target::Eval, arguments >= 2),
            "EVALSHA" => (Target::EvalSha, arguments >= 2),
            "SCRIPT" if arguments > 0 => return check_script(command),
            "SCRIPT" => return Err(Failure::arity(&text)),
            _ => match Spec::find(name) {
                Some(spec) => (Target::Plain(spec), spec.accepts(arguments)),
                None => {
                    return Err(Failure(format!(
                        "ERR Farebox's in-process engine does not have the command '{text}'; \
                         install Redis for the full set"
                    )));
                }
            },
        };
        if accepted { Ok(target) } else { Err(Failure::arity(&text)) }
    }

    fn load(&mut self, source: &[u8]) -> Result<String, Failure> {
        let sha = sha1_hex(source);
        if !self.loaded.contains_key(&sha) {
            let script = self.interpreter.compile(source)?;
            if self.loaded.len() >= MAX_LOADED {
                self.loaded.clear();
            }
            self.loaded.insert(sha.clone(), script);
        }
        Ok(sha)
    }

    /// Runs a loaded script. `arguments` are the number of keys, the keys, and the other arguments.
    fn evaluate(&self, sha: &str, arguments: &[Vec<u8>], now_us: i64) -> Outcome {
        let unknown = || Failure("NOSCRIPT No matching script. Please use EVAL.".to_owned());
        if sha.len() != SHA_LENGTH {
            return Err(unknown());
        }
        let count = number::parse_integer(&arguments[0]).ok_or_else(Failure::not_an_integer)?;
        let count = usize::try_from(count)
            .map_err(|_| Failure("ERR Number of keys can't be negative".to_owned()))?;
        let (keys, rest) = arguments[1..].split_at_checked(count).ok_or_else(|| {
            Failure("ERR Number of keys can't be greater than number of args".to_owned())
        })?;
        let script = self.loaded.get(sha).ok_or_else(unknown)?;
        self.interpreter.run(script, sha, keys, rest, now_us)
    }

    fn which_exist(&self, shas: &[Vec<u8>]) -> Reply {
        let exists = |sha: &Vec<u8>| {
            let sha = String::from_utf8_lossy(sha).to_ascii_lowercase();
            Reply::Integer(self.loaded.contains_key(&sha).into())
        };
        Reply::Array(shas.iter().map(exists).collect())
    }

    fn flush(&mut self, modes: &[Vec<u8>]) -> Outcome {
        let is_mode = |mode: &[u8]| [b"SYNC".as_slice(), b"ASYNC"].contains(&mode);
        match modes {
            [] => {}
            [mode] if is_mode(&mode.to_ascii_uppercase()) => {}
            _ => {
                let message = "ERR SCRIPT FLUSH only support SYNC|ASYNC option";
                return Err(Failure(message.to_owned()));
            }
        }
        self.loaded.clear();
        Ok(Reply::ok())
    }
}

fn check_script(command: &Command) -> Result<Target, Failure> {
    let text = String::from_utf8_lossy(&command[1]);
    let arguments = command.len() - 2;
    let (target, accepted) = match text.to_ascii_uppercase().as_str() {
        "LOAD" => (Target::ScriptLoad, arguments == 1),
        "EXISTS" => (Target::ScriptExists, arguments >= 1),
        "FLUSH" => (Target::ScriptFlush, true),
        _ => {
            return Err(Failure(format!("ERR unknown subcommand '{text}'. Try SCRIPT HELP.")));
        }
    };
    if accepted { Ok(target) } else { Err(Failure::arity(&format!("script|{text}"))) }
}
