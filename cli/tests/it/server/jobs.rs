//! `farebox serve --jobs`: several servers share the scheduled jobs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use farebox::jobs::Jobs;
use farebox::server::{self, Limits};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::adapters::postgres::JobClaim::{self, Claimed, Done, Running};
use shared::app::App;
use shared::{endpoints, http};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::{oneshot, watch};

use crate::support::{Mode, Process, Setup, TestApp, farebox, until};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const JOB: &str = "/api/cron/minute";
const DAILY: &str = "/api/cron/daily";

/// The runs of some servers, which can be held back or fail.
#[derive(Default)]
struct Runs {
    paths: Mutex<Vec<String>>,
    is_held: watch::Sender<bool>,
    is_failing: watch::Sender<bool>,
}

impl Runs {
    fn count(&self, path: &str) -> usize {
        self.paths.lock().unwrap().iter().filter(|run| *run == path).count()
    }

    /// A server with its own pool of connections, on the test's clock.
    fn server(self: &Arc<Self>, app: &TestApp) -> (Jobs, axum::Router) {
        let (inside, runs) = (app.inside(), Arc::clone(self));
        let observe = from_fn(move |request: Request, next: Next| {
            let runs = Arc::clone(&runs);
            async move {
                runs.paths.lock().unwrap().push(request.uri().path().to_owned());
                let _ = runs.is_held.subscribe().wait_for(|is_held| !is_held).await;
                if *runs.is_failing.borrow() {
                    return StatusCode::INTERNAL_SERVER_ERROR.into_response();
                }
                next.run(request).await
            }
        });
        let router = http::mount_all(endpoints::ALL, &inside).layer(observe);
        (Jobs::new(&inside, router.clone()).unwrap(), router)
    }

    fn jobs(self: &Arc<Self>, app: &TestApp) -> Jobs {
        self.server(app).0
    }
}

/// An app at the beginning of a minute.
async fn app() -> TestApp {
    Setup::default().at("2026-06-10T10:20:01Z").start().await
}

#[tokio::test]
async fn each_scheduled_time_runs_on_one_of_two_servers() {
    let (app, runs) = (app().await, Arc::new(Runs::default()));
    let (mut one, mut other) = (runs.jobs(&app), runs.jobs(&app));
    for minutes in 1..=4 {
        tokio::join!(one.run_due(), other.run_due());
        assert_eq!(runs.count(JOB), minutes);
        // The run has ended, and the minute has not.
        tokio::join!(one.run_due(), other.run_due());
        assert_eq!(runs.count(JOB), minutes);
        app.clock.advance(MINUTE);
    }
    assert_eq!(runs.count(DAILY), 1, "the first server runs a job that never ran");
}

#[tokio::test]
async fn a_daily_job_missed_while_no_server_ran_runs_once() {
    let (app, runs) = (app().await, Arc::new(Runs::default()));
    runs.jobs(&app).run_due().await;
    // Before the next 03:15.
    app.clock.advance(SignedDuration::from_hours(16));
    runs.jobs(&app).run_due().await;
    assert_eq!(runs.count(DAILY), 1);
    app.clock.advance(SignedDuration::from_hours(3 * 24));
    let (mut one, mut other) = (runs.jobs(&app), runs.jobs(&app));
    tokio::join!(one.run_due(), other.run_due());
    assert_eq!((runs.count(DAILY), runs.count(JOB)), (2, 3));
}

/// A stopping server finishes its run, and leaves the next one to another server at once.
#[tokio::test]
async fn a_stopping_server_finishes_its_run() {
    let (app, runs) = (app().await, Arc::new(Runs::default()));
    let (jobs, router) = runs.server(&app);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    runs.is_held.send_replace(true);
    let serving = tokio::spawn(server::serve_with_jobs(
        Limits::default(),
        listener,
        router,
        Some(jobs),
        async move { drop(stopped.await) },
    ));
    until(async || runs.count(JOB) == 1).await;
    let mut other = runs.jobs(&app);
    stop.send(()).unwrap();
    other.run_due().await;
    assert_eq!(runs.count(JOB), 1, "a run in flight is not started a second time");
    runs.is_held.send_replace(false);
    serving.await.unwrap().unwrap();
    assert_eq!(ended_runs(&app).await, 2);
    other.run_due().await;
    assert_eq!(runs.count(JOB), 1);
    app.clock.advance(MINUTE);
    other.run_due().await;
    assert_eq!((runs.count(JOB), runs.count(DAILY)), (2, 1));
}

#[tokio::test]
async fn the_run_of_a_killed_server_is_repeated_when_its_lease_ends() {
    let (app, runs) = (app().await, Arc::new(Runs::default()));
    let mut killed = runs.jobs(&app);
    runs.is_held.send_replace(true);
    let running = tokio::spawn(async move { killed.run_due().await });
    until(async || (runs.count(JOB), runs.count(DAILY)) == (1, 1)).await;
    running.abort();
    let _ = running.await;
    runs.is_held.send_replace(false);

    let (mut one, mut other) = (runs.jobs(&app), runs.jobs(&app));
    app.clock.advance(SignedDuration::from_secs(30));
    tokio::join!(one.run_due(), other.run_due());
    assert_eq!((runs.count(JOB), runs.count(DAILY)), (1, 1), "the lease has not ended");
    app.clock.advance(SignedDuration::from_secs(40));
    for _ in 0..2 {
        tokio::join!(one.run_due(), other.run_due());
        assert_eq!((runs.count(JOB), runs.count(DAILY)), (2, 2));
    }
}

#[tokio::test]
async fn a_failed_job_runs_again_at_its_next_time() {
    let (app, runs) = (app().await, Arc::new(Runs::default()));
    let (mut one, mut other) = (runs.jobs(&app), runs.jobs(&app));
    runs.is_failing.send_replace(true);
    for failed in 1..=2 {
        one.run_due().await;
        other.run_due().await;
        assert_eq!(runs.count(JOB), failed);
        app.clock.advance(MINUTE);
    }
    assert_eq!(runs.count(DAILY), 1);
}

#[tokio::test]
async fn a_run_that_does_not_end_is_cut_off() {
    let (app, runs) = (app().await, Arc::new(Runs::default()));
    let mut jobs = runs.jobs(&app);
    runs.is_held.send_replace(true);
    let running = tokio::spawn(async move { jobs.run_due().await });
    until(async || (runs.count(JOB), runs.count(DAILY)) == (1, 1)).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(46)).await;
    // The end of the runs is stored with the limits of real time.
    tokio::time::resume();
    running.await.unwrap();
    assert_eq!(ended_runs(&app).await, 2);
}

/// A statement, or its answer, is lost: the claim of a run, a statement of the job, or the end of the
/// run. The job still runs once.
#[tokio::test]
async fn a_lost_statement_or_answer_repeats_no_run() {
    let app = app().await;
    let runs = Arc::new(Runs::default());
    let mut jobs = runs.jobs(&app);
    jobs.run_due().await;
    // Only the minute job is due from now on.
    app.clock.advance(MINUTE);
    app.postgres.flights();
    jobs.run_due().await;
    let flights = app.postgres.flights();
    assert!(flights > 2, "{flights} flights");
    let losses = (1..=flights).flat_map(|lost| [Mode::LoseRequest(lost), Mode::LoseAnswer(lost)]);
    for (done, loss) in losses.enumerate() {
        app.clock.advance(MINUTE);
        app.postgres.set(loss).await;
        tokio::join!(jobs.run_due(), async {
            app.postgres.lost().await;
            // The connection breaks.
            app.postgres.set(Mode::Pass).await;
        });
        jobs.run_due().await;
        assert_eq!(runs.count(JOB), 3 + done, "{loss:?} of {flights}");
        assert_eq!(ended_runs(&app).await, 2);
    }
}

/// A server whose Postgres closes each connection answers, and logs the outage once for each job.
#[tokio::test]
async fn an_outage_of_postgres_is_logged_once() {
    let app = app().await;
    let closing = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut url = url::Url::parse(&app.settings["DATABASE_URL"]).unwrap();
    url.set_port(Some(closing.local_addr().unwrap().port())).unwrap();
    let mut command = with_jobs(&app);
    let server = Process::start(command.env("DATABASE_URL", url.as_str())).await;
    // Two jobs connect each time.
    for _ in 0..6 {
        drop(closing.accept().await.unwrap());
    }
    let alive = reqwest::get(format!("{}/api/health", server.base)).await.unwrap();
    assert_eq!(alive.status(), 200);
    // The attempts that wait for an answer end.
    drop(closing);
    let log = parsed(&server.end().await);
    let warned = log.iter().filter(|line| line["job"].is_string());
    let jobs: Vec<_> = warned.map(|line| line["job"].as_str().unwrap()).collect();
    assert!(jobs.len() == 2 && jobs[0] != jobs[1], "{log:?}");
}

/// The server needs no secret to call itself.
#[tokio::test]
async fn a_run_is_logged_as_a_call_of_the_scheduler() {
    let app = Setup::default().set("CRON_SECRET", "").start().await;
    let server = Process::start(&mut with_jobs(&app)).await;
    until(async || ended_runs(&app).await == 2).await;
    let log = parsed(&server.end().await);
    for route in ["cron-minute", "cron-daily"] {
        let runs: Vec<_> = log.iter().filter(|line| line["route"] == route).collect();
        let [run] = runs.as_slice() else { panic!("{route} did not run once: {log:?}") };
        assert_eq!((&run["status"], &run["caller"]), (&200.into(), &"cron".into()), "{run}");
    }
}

fn with_jobs(app: &TestApp) -> Command {
    let mut command = farebox(app);
    command.args(["serve", "--port", "0", "--jobs"]).env("LOG_LEVEL", "info");
    command
}

fn parsed(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The number of jobs whose last run has ended.
async fn ended_runs(app: &TestApp) -> i64 {
    app.count("select count(*) from job_runs where leased_until is null").await
}

async fn claim(app: &App, due: Timestamp, holder: &str, now: Timestamp) -> JobClaim {
    app.postgres.claim_job("a-job", due, holder, now, 60).await.unwrap()
}

#[tokio::test]
async fn one_of_many_concurrent_claims_succeeds() {
    let app = app().await;
    let (inside, now) = (app.inside(), app.now());
    for later in 0..20 {
        let due = now + SignedDuration::from_secs(later);
        let claims = (0..8).map(|holder| {
            let inside = &inside;
            async move { claim(inside, due, &format!("{holder}"), due).await }
        });
        let claims = futures_util::future::join_all(claims).await;
        let claimed: Vec<_> = (0..8).filter(|holder| claims[*holder] == Claimed).collect();
        assert_eq!(claimed.len(), 1, "{claims:?}");
        assert!(!claims.contains(&Done), "{claims:?}");
        inside.postgres.finish_job("a-job", &claimed[0].to_string(), due).await.unwrap();
    }
}

#[tokio::test]
async fn a_scheduled_time_is_claimed_once() {
    let app = app().await;
    let (inside, due) = (app.inside(), app.now());
    let after = |seconds| due + SignedDuration::from_secs(seconds);
    let finish = async |holder, due| {
        inside.postgres.finish_job("a-job", holder, due).await.unwrap();
    };
    assert_eq!(claim(&inside, due, "one", due).await, Claimed);
    assert_eq!(claim(&inside, due, "one", due).await, Claimed, "a repeated call");
    assert_eq!(claim(&inside, due, "two", after(59)).await, Running);
    assert_eq!(claim(&inside, after(59), "two", after(59)).await, Running, "the next time");
    assert_eq!(claim(&inside, due, "two", after(60)).await, Claimed, "the lease has ended");
    finish("one", due).await;
    assert_eq!(claim(&inside, due, "one", after(60)).await, Running, "one came too late");
    for _ in 0..2 {
        finish("two", due).await;
        assert_eq!(claim(&inside, due, "one", after(60)).await, Done);
        assert_eq!(claim(&inside, due, "two", after(600)).await, Done);
    }
    // The clock of a server may be behind.
    assert_eq!(claim(&inside, after(60), "one", after(60)).await, Claimed);
    assert_eq!(claim(&inside, due, "two", after(200)).await, Running);
    finish("one", after(60)).await;
    assert_eq!(claim(&inside, due, "two", after(61)).await, Done);
}
