//! The measured calls: their SQL, and for some the HTTP request that runs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::SPREAD;
use crate::load::Requests;
use crate::sql::{self, Calls};

/// The baseline: a transaction that updates one row.
pub const BARE: &str = "update bench.bare set balance = balance - 1 where id = $1::integer";

/// A measured call. Its `$1` is the number of an account.
pub struct Call {
    pub name: &'static str,
    pub sql: &'static str,
    request: Option<(&'static str, &'static str)>,
}

pub const CALLS: [Call; 4] = [
    Call {
        name: "spend",
        sql: "select spend_credits('plain_' || $1, 'ai_credit', 1, '{}', null, null, now())",
        request: Some(("/api/credits", r#""action":"spend","unit":"ai_credit","amount":1"#)),
    },
    Call {
        name: "spend, with a key",
        sql: "select spend_credits(
          'plain_' || $1, 'ai_credit', 1, '{}', gen_random_uuid()::text, 'a fingerprint', now())",
        request: None,
    },
    Call {
        name: "spend, of several grants",
        sql: "select spend_credits('several_' || $1, 'ai_credit', 1, '{}', null, null, now())",
        request: None,
    },
    Call {
        name: "track",
        sql: r#"select track_usages(
          'plain_' || $1, '[{"feature": "reports", "quantity": 1}]', true, null, null, now())"#,
        request: Some(("/api/usage", r#""feature":"reports""#)),
    },
];

/// The accounts of the calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accounts {
    Hot,
    Spread,
}

impl Accounts {
    pub const ALL: [Self; 2] = [Self::Hot, Self::Spread];

    pub fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Spread => "spread",
        }
    }

    /// Returns the statement as a pgbench script.
    pub fn script(self, sql: &str) -> String {
        let number = match self {
            Self::Hot => "\\set n 0".to_owned(),
            Self::Spread => format!("\\set n random(1, {SPREAD})"),
        };
        format!("{number}\n{};\n", sql.replace("$1", ":n"))
    }

    /// Returns the statement as calls for one connection.
    pub fn calls(self, sql: &'static str) -> Calls {
        let next = self.numbers();
        Arc::new(move || Some(vec![sql::with(sql, next())]))
    }

    fn numbers(self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let sent = AtomicU64::default();
        move || match self {
            Self::Hot => 0,
            // Consecutive calls use rows that are far apart in the table.
            Self::Spread => sent.fetch_add(1, Ordering::Relaxed).wrapping_mul(617) % SPREAD + 1,
        }
    }
}

impl Call {
    pub fn requests(&self, key: &str, accounts: Accounts) -> Option<Requests> {
        let (path, fields) = self.request?;
        let (key, next) = (key.to_owned(), accounts.numbers());
        Some(Arc::new(move || {
            Some(post(path, &key, &format!(r#"{{{fields},"userId":"plain_{}"}}"#, next())))
        }))
    }
}

pub fn post(path: &str, key: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench.example\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
