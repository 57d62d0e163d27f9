//! The scheduler of a local stack: calls the jobs of the endpoint table when they are due, by the
//! stack's clock.

use std::time::Duration;

use axum::http::{Method, Request, header};
use bytes::Bytes;
use http_body_util::Full;
use jiff::Timestamp;
use shared::adapters::http_client::{Budget, HttpClient};
use shared::clock::Clock;
use shared::domain::error::error_chain;
use shared::endpoints;

/// The interval at which the clock is read. It can be advanced at any time.
const POLL: Duration = Duration::from_secs(1);

/// The limits of a call. The time is longer than any job takes.
const BUDGET: Budget = Budget {
    connect: Duration::from_secs(1),
    answer: Duration::from_mins(1),
    max_bytes: 1_000_000,
};

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

/// Calls due jobs until it is aborted. A job that became due several times, because the clock was
/// advanced, runs once.
pub async fn run(base: String, cron_secret: String, clock: Clock) {
    let http = HttpClient::default();
    let mut last = clock.now();
    loop {
        tokio::time::sleep(POLL).await;
        let now = clock.now();
        for (job, problem) in run_due(&http, &base, &cron_secret, last, now).await {
            tracing::warn!(problem, job, "a scheduled job failed");
        }
        last = now;
    }
}

/// Calls each job that became due after `after` and not after `until`, once. Returns the jobs that
/// failed, and why.
pub async fn run_due(
    http: &HttpClient,
    base: &str,
    cron_secret: &str,
    after: Timestamp,
    until: Timestamp,
) -> Vec<(&'static str, String)> {
    let mut failed = Vec::new();
    for endpoint in endpoints::ALL {
        if endpoint.schedule.is_some_and(|schedule| was_due(schedule, after, until))
            && let Err(problem) = call(http, &format!("{base}{}", endpoint.path), cron_secret).await
        {
            failed.push((endpoint.name, problem));
        }
    }
    failed
}

async fn call(http: &HttpClient, url: &str, cron_secret: &str) -> Result<(), String> {
    let request = Request::builder()
        .method(Method::GET)
        .uri(url)
        .header(header::AUTHORIZATION, format!("Bearer {cron_secret}"))
        .body(Full::new(Bytes::new()))
        .map_err(|error| error.to_string())?;
    let answer = http.call(request, BUDGET).await.map_err(|error| error_chain(&error))?;
    if answer.status.is_success() { Ok(()) } else { Err(answer.status.to_string()) }
}

/// Returns true if the schedule has a time after `after` and not after `until`. A schedule with an
/// hour is daily; any other runs every minute.
fn was_due(schedule: &str, after: Timestamp, until: Timestamp) -> bool {
    let mut fields = schedule.split(' ').map(|field| field.parse::<i64>().ok());
    let (minute, hour) = (fields.next().flatten(), fields.next().flatten());
    let (every, offset) = match hour {
        Some(hour) => (DAY, (hour * 60 + minute.unwrap_or(0)) * MINUTE),
        None => (MINUTE, 0),
    };
    let period = |at: Timestamp| (at.as_second() - offset).div_euclid(every);
    period(after) < period(until)
}

#[cfg(test)]
mod tests {
    use super::was_due;

    #[test]
    fn a_job_is_due_at_its_scheduled_time() {
        let was_due = |schedule: &str, after: &str, until: &str| {
            let at = |time: &str| format!("2026-03-{time}Z").parse().unwrap();
            was_due(schedule, at(after), at(until))
        };
        let each_minute = "* * * * *";
        assert!(was_due(each_minute, "01T10:00:59", "01T10:01:00"));
        assert!(!was_due(each_minute, "01T10:01:00", "01T10:01:59"));
        let each_night = "15 3 * * *";
        assert!(was_due(each_night, "01T03:14:59", "01T03:15:00"));
        assert!(!was_due(each_night, "01T03:15:00", "02T03:14:59"));
        assert!(was_due(each_night, "01T03:15:00", "20T00:00:00"));
    }
}
