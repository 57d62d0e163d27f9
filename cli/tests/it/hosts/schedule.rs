//! What the platforms' schedulers send, and what comes of it.

use serde_json::Value;
use shared::endpoints::ALL;
use shared::http::Endpoint;

use super::lambda::Lambda;
use crate::support::{Setup, TestApp};

/// The event is the template's own.
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

/// What `template.yaml` has EventBridge send, with the secret that CloudFormation puts into it.
fn scheduled_event(row: &Endpoint, secret: &str) -> Value {
    let template = include_str!("../../../../template.yaml");
    let is_of_row = |line: &&str| {
        line.starts_with('{') && line.contains(&format!("\"rawPath\": \"{}\"", row.path))
    };
    let line = template.lines().map(str::trim).find(is_of_row).expect("it has no such schedule");
    serde_json::from_str(&line.replace("${CronSecret}", secret)).unwrap()
}

/// A history entry of the day before yesterday, saved with a key.
async fn leave_an_old_key(app: &TestApp) {
    let sql = "with someone as (
           insert into accounts values ('old', farebox_now()) returning id
         )
         insert into history (user_id, kind, content, created_at, idempotency_key, fingerprint)
         select id, 'chat', 'talk', farebox_now() - interval '2 days', 'key', 'f' from someone";
    app.owner().await.query_typed(sql, &[]).await.unwrap();
}
