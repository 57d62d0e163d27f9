//! The scheduled jobs of the endpoint table, run by `farebox serve --jobs`.
//!
//! Several servers may run them. Before each run a server claims it in Postgres, which grants a
//! scheduled time to one server, and grants it again only if that server has not reported the end
//! of its run when the lease ends: it was killed, or could not reach Postgres. A run is a request to
//! the router, so the guard checks, limits and logs it. It does not pass through a socket.
//!
//! Deliberately absent: a leader. The row of each job decides who runs it, so there is nothing to
//! renew or to hand over.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Uri};
use futures_util::future::join_all;
use jiff::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};
use shared::adapters::postgres::{JobClaim, PostgresError};
use shared::app::App;
use shared::background::BackgroundTasks;
use shared::domain::error::error_chain;
use shared::domain::hash::hex;
use shared::endpoints;
use shared::http::{Endpoint, InvokedByScheduler, Schedule};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// The interval at which the clock is read. It can be advanced at any time.
pub const POLL: Duration = Duration::from_secs(1);

/// The time limit of a run. Jobs begin no step that could end after 30 seconds.
const RUN_TIME: Duration = Duration::from_secs(45);

/// The time after which another server repeats the run of a killed one. It leaves a run's last
/// statements time to end.
const LEASE_SECONDS: i32 = 60;

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

/// Returns the endpoints that have a schedule, with it.
pub fn scheduled() -> impl Iterator<Item = (&'static Endpoint, Schedule)> {
    endpoints::ALL.iter().filter_map(|endpoint| Some((*endpoint, endpoint.schedule?)))
}

/// Returns the last scheduled time that is not after `now`.
pub fn last_due(schedule: Schedule, now: Timestamp) -> Timestamp {
    let (every, offset) = match schedule {
        Schedule::EveryMinute => (MINUTE, 0),
        Schedule::Daily { hour, minute } => {
            (DAY, (i64::from(hour) * 60 + i64::from(minute)) * MINUTE)
        }
    };
    let since_due = (now.as_second() - offset).rem_euclid(every);
    // Fails only for the first times that a timestamp can hold.
    Timestamp::from_second(now.as_second() - since_due).unwrap_or(now)
}

/// The jobs of one server.
#[derive(Debug)]
pub struct Jobs {
    server: Server,
    jobs: Vec<Job>,
}

#[derive(Debug)]
struct Server {
    app: Arc<App>,
    router: Router,
    /// The id of this server in the rows of jobs.
    holder: String,
    background: BackgroundTasks,
}

#[derive(Debug)]
struct Job {
    endpoint: &'static Endpoint,
    schedule: Schedule,
    /// The scheduled time of this server's last run.
    started: Option<Timestamp>,
    /// The scheduled time that is known to need no run.
    done: Option<Timestamp>,
    /// Postgres did not answer the last call. An outage is logged once.
    is_failing: bool,
}

impl Jobs {
    /// Creates the jobs of a server whose routes are `router`.
    pub fn new(app: &Arc<App>, router: Router) -> anyhow::Result<Self> {
        let mut random = [0; 12];
        let filled = SystemRandom::new().fill(&mut random);
        filled.map_err(|_| anyhow!("the system's random number generator failed"))?;
        let server = Server {
            app: Arc::clone(app),
            router,
            holder: hex(&random),
            background: BackgroundTasks::default(),
        };
        let (started, done, is_failing) = (None, None, false);
        let jobs = scheduled().map(|(endpoint, schedule)| Job {
            endpoint,
            schedule,
            started,
            done,
            is_failing,
        });
        Ok(Self { server, jobs: jobs.collect() })
    }

    /// Runs jobs when they are due, until the server stops. Runs in flight end first.
    pub async fn run(mut self, background: BackgroundTasks, stopping: CancellationToken) {
        self.server.background = background;
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                () = sleep(POLL) => self.run_due().await,
            }
        }
    }

    /// Runs each job that is due and that no other server has claimed. A job that became due
    /// several times runs once.
    pub async fn run_due(&mut self) {
        join_all(self.jobs.iter_mut().map(|job| job.run_if_due(&self.server))).await;
    }
}

impl Job {
    async fn run_if_due(&mut self, server: &Server) {
        let result = self.try_run(server).await;
        if let Err(error) = &result
            && !self.is_failing
        {
            let (job, problem) = (self.endpoint.name, error_chain(error));
            tracing::warn!(job, problem, "cannot claim the runs of a job; trying again");
        }
        self.is_failing = result.is_err();
    }

    async fn try_run(&mut self, server: &Server) -> Result<(), PostgresError> {
        let (postgres, name) = (&server.app.postgres, self.endpoint.name);
        let now = server.app.clock.now();
        let due = last_due(self.schedule, now);
        if self.done == Some(due) {
            return Ok(());
        }
        // The run may have ended without Postgres knowing it. It is not repeated then.
        if self.started != Some(due) {
            match postgres.claim_job(name, due, &server.holder, now, LEASE_SECONDS).await? {
                JobClaim::Claimed => {}
                JobClaim::Running => return Ok(()),
                JobClaim::Done => {
                    self.done = Some(due);
                    return Ok(());
                }
            }
            self.started = Some(due);
            server.call(self.endpoint).await;
        }
        postgres.finish_job(name, &server.holder, due).await?;
        self.done = Some(due);
        Ok(())
    }
}

impl Server {
    /// Calls a job as the platform's scheduler would. The guard logs its result.
    async fn call(&self, endpoint: &'static Endpoint) {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = Uri::from_static(endpoint.path);
        request.extensions_mut().insert(InvokedByScheduler);
        request.extensions_mut().insert(self.background.clone());
        let call = self.router.clone().oneshot(request);
        if timeout(RUN_TIME, call).await.is_err() {
            tracing::error!(job = endpoint.name, "a job took too long and was cut off");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Schedule, last_due};

    #[test]
    fn a_job_is_due_at_its_scheduled_time() {
        let check = |schedule: Schedule, now: &str, due: &str| {
            let at = |time: &str| format!("2026-03-{time}Z").parse().unwrap();
            assert_eq!(last_due(schedule, at(now)), at(due), "{schedule:?} at {now}");
        };
        let each_minute = Schedule::EveryMinute;
        check(each_minute, "01T10:00:59.9", "01T10:00:00");
        check(each_minute, "01T10:01:00", "01T10:01:00");
        let each_night = Schedule::Daily { hour: 3, minute: 15 };
        check(each_night, "02T03:14:59", "01T03:15:00");
        check(each_night, "02T03:15:00", "02T03:15:00");
        check(each_night, "20T00:00:00", "19T03:15:00");
    }
}
