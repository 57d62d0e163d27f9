//! Decides which of several servers runs a scheduled job.

use jiff::Timestamp;
use serde::Deserialize;

use super::function::sql_functions;

/// The answer to a server that would run a job.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum JobClaim {
    /// The server runs the job.
    Claimed,
    /// Another server runs it. If that server is killed, a later claim succeeds.
    Running,
    /// The job has already run at this scheduled time.
    Done,
}

sql_functions! {
    /// Claims a job that is due since `due_at`, for `lease_seconds`.
    pub fn claim_job(
        job: &str,
        due_at: Timestamp,
        holder: &str,
        now: Timestamp,
        lease_seconds: i32,
    ) -> json JobClaim;

    /// Ends a run that was claimed. Does nothing if another server has claimed the job since.
    pub fn finish_job(job: &str, holder: &str, due_at: Timestamp);
}
