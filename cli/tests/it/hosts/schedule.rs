//! The events of the platforms' schedulers, and their effects.

use serde_json::Value;
use shared::endpoints::ALL;
use shared::http::Endpoint;

use super::lambda::Lambda;
use crate::support::{Setup, TestApp};

/// The event is read from `template.yaml`.
#[tokio::test]
async fn a_schedule_of_the_template_runs_its_job() {
    let app = Setup::default().at_machine_time().start().await;
    for row in ALL.iter().filter(|row| row.schedule.is_some()) {
        let function = Lambda::start(&format!("lambda-{}", row.name), &app.settings).await;
        let event = |secret: &str| scheduled_event(row, secret);
        let refused = function.invoke(event("a guess")).await;
        assert_eq!(refused["statusCode"], 401, "{refused}");
        let expected = match row.name {
            "cron-daily" => {
                leave_an_old_key(&app).await;
                "{\"deleted\":{\"audit_log\":0,\"failed_webhooks\":0,\"history\":1,"
            }
            _ => {
                "{\"settled\":0,\"replayed\":0,\"stillFailing\":0,\
                 \"messages\":{\"delivered\":0,\"retried\":0,\"givenUp\":0}}"
            }
        };
        let done = function.invoke(event(&app.settings["CRON_SECRET"])).await;
        assert_eq!(done["statusCode"], 200, "{done}");
        assert!(done["body"].as_str().unwrap().starts_with(expected), "{done}");
    }
}

/// The event that EventBridge sends according to `template.yaml`, with the secret that
/// CloudFormation inserts.
fn scheduled_event(row: &Endpoint, secret: &str) -> Value {
    let template = include_str!("../../../../template.yaml");
    let is_of_row = |line: &&str| {
        line.starts_with('{') && line.contains(&format!("\"rawPath\": \"{}\"", row.path))
    };
    let line =
        template.lines().map(str::trim).find(is_of_row).expect("the template has no such schedule");
    serde_json::from_str(&line.replace("${CronSecret}", secret)).unwrap()
}

/// A history entry that was saved with a key two days ago.
async fn leave_an_old_key(app: &TestApp) {
    let sql = "with someone as (
           insert into accounts values ('old', farebox_now()) returning id
         )
         insert into history (user_id, kind, content, created_at, idempotency_key, fingerprint)
         select id, 'chat', 'talk', farebox_now() - interval '2 days', 'key', 'f' from someone";
    app.owner().await.query_typed(sql, &[]).await.unwrap();
}
