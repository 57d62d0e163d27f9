//! Measures the verification of the whole ledger, page by page, as `farebox ledger verify` does it.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::Value;
use tokio_postgres::types::Type;

use crate::database::Database;
use crate::machine;
use crate::report::Report;
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
        let (mut rows, mut user, mut unit, mut seq) = (0, String::new(), String::new(), 0);
        loop {
            let sql = "select verify_ledger($1, $2, $3, $4)::text";
            let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 4] =
                [(&user, Type::TEXT), (&unit, Type::TEXT), (&seq, Type::INT8), (&PAGE, Type::INT4)];
            let page: String = owner.query_typed_one(sql, &parameters).await?.get(0);
            let page: Value = serde_json::from_str(&page)?;
            ensure!(page["problems"] == serde_json::json!([]), "the ledger is wrong: {page}");
            rows += page["checked"].as_u64().unwrap_or_default();
            let last = &page["last"];
            let (Some(after_user), Some(after_unit), Some(after_seq)) =
                (last["user_id"].as_str(), last["unit"].as_str(), last["seq"].as_i64())
            else {
                break;
            };
            (user, unit, seq) = (after_user.to_owned(), after_unit.to_owned(), after_seq);
        }
        let memory_kib = machine::kib(&format!("/proc/{pid}/status"), "RssAnon")?;
        Ok(Self { rows, took: began.elapsed(), memory_kib })
    }

    pub fn add_to(&self, report: &mut Report) {
        report.table(["ledger rows verified", "seconds", "memory of the session, KiB"]);
        report.row([
            grouped(self.rows),
            format!("{:.0}", self.took.as_secs_f64()),
            grouped(self.memory_kib),
        ]);
    }
}
