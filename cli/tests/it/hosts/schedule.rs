//! The events of AWS's schedulers and their effects, and events that Farebox does not read.

use platforms::Lambda;
use platforms::lambda::{Encoding, Front, event};
use serde_json::{Value, json};
use shared::endpoints::{ALL, CRON_DAILY, CRON_MINUTE, MOOD};
use shared::http::Endpoint;

use super::binary::on_lambda;
use super::request;
use crate::support::{Mode, Setup, TestApp};

/// The event of a schedule of the template.
fn scheduled() -> Value {
    json!({ "source": "aws.scheduler" })
}

/// The event of a rule with a schedule, as older set-ups use.
fn by_rule() -> Value {
    json!({
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-11-14T03:15:00Z",
        "region": "eu-central-1",
        "resources": ["arn:aws:events:eu-central-1:123456789012:rule/farebox"],
        "detail": {},
    })
}

async fn job(app: &TestApp, row: &Endpoint) -> Lambda {
    on_lambda(row.name, &app.settings).await
}

/// IAM decides who may invoke a function, so the event needs no cron secret.
#[tokio::test]
async fn a_scheduled_event_runs_the_job() {
    let mut app = Setup::default().at_machine_time().start().await;
    app.settings.remove("CRON_SECRET");
    leave_an_old_key(&app).await;
    for row in ALL.iter().filter(|row| row.schedule.is_some()) {
        let function = job(&app, row).await;
        let done = function.invoke(scheduled()).await.unwrap().unwrap();
        match row.name {
            "cron-daily" => assert_eq!(done["deleted"]["history_keys"], 1, "{done}"),
            _ => assert_eq!(done["messages"]["delivered"], 0, "{done}"),
        }
        function.invoke(by_rule()).await.unwrap().unwrap();
    }
}

/// An HTTP request still needs the secret, whatever its body claims.
#[tokio::test]
async fn a_request_cannot_pass_for_a_schedule() {
    let app = Setup::default().at_machine_time().start().await;
    let function = job(&app, &CRON_MINUTE).await;
    let forged = request("GET", CRON_MINUTE.path).json(&scheduled());
    let mut forged = event(&forged, Front::HttpApi, Encoding::Text);
    forged["source"] = "aws.scheduler".into();
    forged["detail-type"] = "Scheduled Event".into();
    let refused = function.invoke(forged).await.unwrap().unwrap();
    assert_eq!(refused["statusCode"], 401, "{refused}");
}

/// The error reaches Lambda, which retries the job and puts its event into the queue of failed jobs.
#[tokio::test]
async fn a_job_that_fails_fails_its_schedule() {
    let app = Setup::default().at_machine_time().start().await;
    let function = job(&app, &CRON_DAILY).await;
    app.postgres.set(Mode::Down).await;
    let failed = function.invoke(scheduled()).await.unwrap().unwrap_err();
    let message = failed["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("the job answered 503"), "{failed}");
    assert!(message.contains("database_unavailable"), "{failed}");
}

#[tokio::test]
async fn an_event_of_another_kind_is_refused_with_the_reason() {
    let app = Setup::default().at_machine_time().start().await;
    let function = job(&app, &MOOD).await;
    let queue = json!({ "Records": [{ "eventSource": "aws:sqs", "body": "{}" }] });
    for (event, reason) in [
        (scheduled(), "/api/mood has no schedule: it is not a job"),
        (queue, "neither an HTTP request of payload format 2.0 nor a scheduled event"),
        (json!({ "key1": "value1" }), "neither an HTTP request"),
        (json!("text"), "neither an HTTP request"),
    ] {
        let refused = function.invoke(event.clone()).await.unwrap().unwrap_err();
        let message = refused["errorMessage"].as_str().unwrap();
        assert!(message.contains(reason), "{event}: {refused}");
    }
}

/// A REST API, or an HTTP API with payload format 1.0.
#[tokio::test]
async fn a_request_of_payload_format_1_is_answered_with_the_reason() {
    let app = Setup::default().at_machine_time().start().await;
    let function = job(&app, &MOOD).await;
    let old = json!({
        "resource": "/api/mood",
        "path": "/api/mood",
        "httpMethod": "PATCH",
        "headers": { "Authorization": format!("Bearer {}", app.token("ann")) },
        "multiValueHeaders": {},
        "requestContext": { "resourcePath": "/api/mood", "httpMethod": "PATCH", "stage": "prod" },
        "body": "{\"score\":7}",
        "isBase64Encoded": false,
    });
    let answer = function.invoke(old).await.unwrap().unwrap();
    assert_eq!(answer["statusCode"], 415, "{answer}");
    assert_eq!(answer["headers"]["content-type"], "application/problem+json", "{answer}");
    let problem: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(problem["code"], "unsupported_media_type", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("an HTTP API, not a REST API"));
}

#[test]
fn every_schedule_of_the_template_invokes_by_role_and_without_a_secret() {
    let template = include_str!("../../../../template.yaml");
    let jobs = ALL.iter().filter(|row| row.schedule.is_some()).count();
    assert_eq!(template.matches("Type: ScheduleV2").count(), jobs);
    assert_eq!(template.matches("RoleArn: !GetAtt SchedulerRole.Arn").count(), jobs);
    assert_eq!(template.matches("Input: '{\"source\": \"aws.scheduler\"}'").count(), jobs);
    assert_eq!(template.matches("Input:").count(), jobs);
}

/// The idempotency key of a history entry that was saved two days ago.
async fn leave_an_old_key(app: &TestApp) {
    let sql = "with someone as (
           insert into accounts values ('old', farebox_now()) returning id
         )
         insert into history_keys (idempotency_key, fingerprint, user_id, answer, created_at)
         select 'key', 'f', id, '{}', farebox_now() - interval '2 days' from someone";
    app.owner().await.query_typed(sql, &[]).await.unwrap();
}
