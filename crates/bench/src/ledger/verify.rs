//! Measures the verification of the whole ledger, page by page, as `farebox ledger verify` does.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::Value;
use tokio_postgres::types::Type;

use crate::database::Database;
use crate::machine;
use crate::table::grouped;

const PAGE: i32 = 1_000;

pub struct Verified {
    rows: u64,
    took: Duration,
    /// The private memory of the database process at the end.
    memory_kib: u64,
}

impl Verified {
    pub async fn measure(database: &Database) -> anyhow::Result<Self> {
        let owner = &database.owner;
        let pid: i32 = owner.query_typed_one("select pg_backend_pid()", &[]).await?.get(0);
        let began = Instant::now();
        let (mut rows, mut user, mut seq) = (0, String::new(), 0);
        loop {
            let sql = "select verify_ledger($1, $2, $3)::text";
            let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] =
                [(&user, Type::TEXT), (&seq, Type::INT8), (&PAGE, Type::INT4)];
            let page: String = owner.query_typed_one(sql, &parameters).await?.get(0);
            let page: Value = serde_json::from_str(&page)?;
            ensure!(page["problems"] == serde_json::json!([]), "the ledger is wrong: {page}");
            rows += page["checked"].as_u64().unwrap_or_default();
            let (Some(last), Some(number)) =
                (page["last"]["user_id"].as_str(), page["last"]["seq"].as_i64())
            else {
                break;
            };
            (user, seq) = (last.to_owned(), number);
        }
        let memory_kib = machine::kib(&format!("/proc/{pid}/status"), "RssAnon")?;
        Ok(Self { rows, took: began.elapsed(), memory_kib })
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, took, memory_kib } = self;
        let rows = grouped(*rows);
        let seconds = took.as_secs_f64();
        writeln!(f, "{rows} rows of the ledger verified in {seconds:.0} s;")?;
        writeln!(f, "the database's process then holds {memory_kib} KiB of its own.")
    }
}
