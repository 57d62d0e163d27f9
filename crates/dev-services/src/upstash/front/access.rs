//! Checks a caller's token and the commands that it may run.
//!
//! As at Upstash, a database has two tokens. The read-only one runs commands that only read and
//! cost little (not KEYS or SCAN), and no scripts. Deliberately absent: users and ACLs.

use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use url::form_urlencoded;

use super::answer::Refusal;
use crate::upstash::{Command, Tokens};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Access {
    Full,
    ReadOnly,
}

const READ_ONLY: &str = "\
    BITCOUNT BITFIELD_RO BITPOS DBSIZE DUMP ECHO EXISTS EXPIRETIME GEODIST GEOHASH GEOPOS \
    GEOSEARCH GET GETBIT GETRANGE HEXISTS HGET HGETALL HKEYS HLEN HMGET HRANDFIELD HSTRLEN \
    HVALS LINDEX LLEN LPOS LRANGE MGET PEXPIRETIME PFCOUNT PING PSUBSCRIBE PTTL SCARD SDIFF \
    SINTER SINTERCARD SISMEMBER SMEMBERS SMISMEMBER SRANDMEMBER STRLEN SUBSCRIBE SUBSTR SUNION \
    TIME TOUCH TTL TYPE XINFO XLEN XPENDING XRANGE XREAD XREVRANGE ZCARD ZCOUNT ZDIFF ZINTER \
    ZINTERCARD ZLEXCOUNT ZMSCORE ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE \
    ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCORE ZUNION";

/// Commands that change the state of their connection, which other requests share.
const NOT_OVER_REST: &str = "\
    AUTH DISCARD EXEC HELLO MONITOR MULTI PSUBSCRIBE PSYNC PUNSUBSCRIBE QUIT RESET SELECT \
    SHUTDOWN SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SYNC UNSUBSCRIBE UNWATCH WATCH";

/// Finds the caller's token, in the header or in the query, and returns its access.
pub fn authorize(tokens: &Tokens, parts: &Parts) -> Result<Access, Refusal> {
    let unauthorized =
        || Refusal::new(StatusCode::UNAUTHORIZED, "WRONGPASS invalid or missing auth token");
    let token = token(parts).ok_or_else(unauthorized)?;
    match token {
        token if token.is_empty() => Err(unauthorized()),
        token if token == tokens.full => Ok(Access::Full),
        token if token == tokens.read_only => Ok(Access::ReadOnly),
        _ => Err(unauthorized()),
    }
}

fn token(parts: &Parts) -> Option<String> {
    if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned());
    }
    let query = parts.uri.query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "_token").map(|(_, token)| token.into_owned())
}

impl Access {
    /// Returns the error for `command` if this caller may not run it.
    pub fn objection(self, command: &Command) -> Option<String> {
        let name = String::from_utf8_lossy(command.first().map(Vec::as_slice).unwrap_or_default());
        let upper = name.to_ascii_uppercase();
        if lists(NOT_OVER_REST, &upper) {
            return Some(format!("ERR Command is not available: '{upper}'"));
        }
        self.objection_to(&upper)
    }

    /// The same for an upper-case name, except that it allows commands that change their
    /// connection.
    pub fn objection_to(self, upper: &str) -> Option<String> {
        (self == Access::ReadOnly && !lists(READ_ONLY, upper)).then(|| {
            let name = upper.to_ascii_lowercase();
            format!(
                "NOPERM this user has no permissions to run the '{name}' command or its subcommand"
            )
        })
    }
}

fn lists(names: &str, name: &str) -> bool {
    names.split_ascii_whitespace().any(|listed| listed == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objection(access: Access, name: &str) -> Option<String> {
        access.objection(&vec![name.as_bytes().to_vec()])
    }

    #[test]
    fn the_read_only_token_only_reads() {
        assert_eq!(objection(Access::ReadOnly, "get"), None);
        assert_eq!(objection(Access::ReadOnly, "HGETALL"), None);
        assert_eq!(
            objection(Access::ReadOnly, "Set").unwrap(),
            "NOPERM this user has no permissions to run the 'set' command or its subcommand"
        );
        assert!(objection(Access::ReadOnly, "evalsha").is_some());
        assert_eq!(objection(Access::Full, "set"), None);
    }

    #[test]
    fn a_command_that_changes_the_connection_is_refused() {
        let objection = objection(Access::Full, "select").unwrap();
        assert_eq!(objection, "ERR Command is not available: 'SELECT'");
    }
}
