//! The errors of commands, with Redis's messages.

use crate::upstash::resp::Reply;

/// The message of an error reply.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

/// The result of a command.
pub type Outcome = Result<Reply, Failure>;

impl Failure {
    pub fn wrong_type() -> Failure {
        let message = "WRONGTYPE Operation against a key holding the wrong kind of value";
        Failure(message.to_owned())
    }

    pub fn syntax() -> Failure {
        Failure("ERR syntax error".to_owned())
    }

    pub fn not_an_integer() -> Failure {
        Failure("ERR value is not an integer or out of range".to_owned())
    }

    pub fn overflow() -> Failure {
        Failure("ERR increment or decrement would overflow".to_owned())
    }

    pub fn arity(name: &str) -> Failure {
        let name = name.to_ascii_lowercase();
        Failure(format!("ERR wrong number of arguments for '{name}' command"))
    }
}
