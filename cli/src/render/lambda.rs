//! `template.yaml`: the SAM template. It has one HTTP API for all routes, a function URL for each
//! webhook, a schedule for each job, alarms, and a parameter for each setting.

use std::fmt::Write as _;

use anyhow::ensure;
use shared::config::{SETTINGS, Setting};
use shared::http::{Access, Endpoint, Schedule};

/// The bytes that Lambda allows for all environment variables of a function, names included.
const ENVIRONMENT_BYTES: usize = 4_096;

/// The bytes that must be left for values. A deployment rarely sets half of the settings, and a value
/// rarely has more than 100 bytes.
const VALUE_BYTES: usize = 2_560;

/// The most functions of an HTTP API: each is an integration and a route.
const MAX_FUNCTIONS: usize = 300;

/// The parts of the template that do not depend on the table.
const HEAD: &str = include_str!("lambda/head.yaml");
const CONDITIONS: &str = include_str!("lambda/conditions.yaml");
const GLOBALS: &str = include_str!("lambda/globals.yaml");
const RESOURCES: &str = include_str!("lambda/resources.yaml");
const OUTPUTS: &str = include_str!("lambda/outputs.yaml");

/// The whole template.
pub(super) fn template(table: &[&Endpoint]) -> anyhow::Result<String> {
    let settings = || SETTINGS.iter().filter(|setting| !setting.for_servers);
    let names: usize = settings().map(|setting| setting.name.len()).sum();
    ensure!(
        names + VALUE_BYTES <= ENVIRONMENT_BYTES,
        "the names of the settings take {names} of the {ENVIRONMENT_BYTES} bytes of a function's \
         environment"
    );
    ensure!(table.len() <= MAX_FUNCTIONS, "an HTTP API cannot have {} functions", table.len());
    let mut yaml = String::from(HEAD);
    for setting in settings() {
        yaml += &parameter(setting);
    }
    yaml += CONDITIONS;
    for setting in settings() {
        let id = logical_id(setting.name);
        yaml += &format!("  Has{id}: !Not [!Equals [!Ref {id}, '']]\n");
    }
    yaml += GLOBALS;
    for setting in settings() {
        yaml += &variable(setting);
    }
    let jobs = table.iter().filter(|endpoint| endpoint.schedule.is_some());
    let arn = |job: &&Endpoint| format!("                  - !GetAtt {}.Arn\n", function_id(job));
    yaml += &RESOURCES.replace("@JOBS@", &jobs.map(arn).collect::<String>());
    for endpoint in table {
        yaml += &function(endpoint);
    }
    let webhooks = || table.iter().filter(|endpoint| endpoint.access == Access::Stripe);
    for endpoint in webhooks() {
        yaml += &webhook_alarm(endpoint);
    }
    yaml += OUTPUTS;
    for endpoint in webhooks() {
        let id = function_id(endpoint);
        // A function URL ends in a slash.
        let path = endpoint.path.trim_start_matches('/');
        let _ = write!(
            yaml,
            "  {id}Url:\n    Description: The URL to register at Stripe as a webhook endpoint.\n    \
             Value: !Sub '${{{id}Url.FunctionUrl}}{path}'\n"
        );
    }
    Ok(yaml)
}

fn parameter(setting: &Setting) -> String {
    let id = logical_id(setting.name);
    let about = setting.about.replace('\'', "''");
    let about = if setting.required { format!("{about} (required)") } else { about };
    let mut yaml =
        format!("  {id}:\n    Type: String\n    Description: '{about}'\n    Default: ''\n");
    if setting.secret {
        yaml += "    NoEcho: true\n";
    }
    yaml
}

/// The environment variable of a setting. An empty setting is omitted.
fn variable(setting: &Setting) -> String {
    let (name, id) = (setting.name, logical_id(setting.name));
    format!("        {name}: !If [Has{id}, !Ref {id}, !Ref AWS::NoValue]\n")
}

fn function(endpoint: &Endpoint) -> String {
    let id = function_id(endpoint);
    let Endpoint { name, memory_mb, max_seconds, .. } = endpoint;
    let role = if endpoint.schedule.is_some() { "JobRole" } else { "FunctionRole" };
    let mut yaml = format!(
        "\n  {id}:\n    Type: AWS::Serverless::Function\n    \
         Metadata:\n      BuildMethod: rust-cargolambda\n      \
         BuildProperties:\n        Binary: lambda-{name}\n    \
         Properties:\n      CodeUri: .\n      Role: !GetAtt {role}.Arn\n      \
         MemorySize: {memory_mb}\n      Timeout: {max_seconds}\n"
    );
    if endpoint.access == Access::Stripe {
        yaml += "      FunctionUrlConfig:\n        AuthType: NONE\n";
    }
    if let Some(schedule) = endpoint.schedule {
        yaml += &on_failure(schedule);
    }
    yaml += "      Events:\n";
    yaml += &route(endpoint.path);
    if let Some(schedule) = endpoint.schedule {
        yaml += &event(endpoint, schedule);
    }
    yaml
}

/// The route of a function, for every method. The function itself answers OPTIONS and HEAD and
/// rejects methods that its row does not list, so that every host gives the same response.
fn route(path: &str) -> String {
    format!(
        "        Any:\n          Type: HttpApi\n          Properties:\n            \
         ApiId: !Ref Api\n            Path: {path}\n            Method: ANY\n"
    )
}

/// Retries a failed job, and then queues its event as failed. A job that runs every minute is not
/// retried, because its next run does the same work.
fn on_failure(schedule: Schedule) -> String {
    let (retries, seconds) = match schedule {
        Schedule::EveryMinute => (0, 60),
        Schedule::Daily { .. } => (2, 3_600),
    };
    format!(
        "      EventInvokeConfig:\n        MaximumRetryAttempts: {retries}\n        \
         MaximumEventAgeInSeconds: {seconds}\n        \
         DestinationConfig:\n          OnFailure:\n            Type: SQS\n            \
         Destination: !GetAtt FailedJobs.Arn\n"
    )
}

/// The schedule of a function. EventBridge invokes the function by the role, without a secret.
fn event(endpoint: &Endpoint, schedule: Schedule) -> String {
    let (name, schedule) = (endpoint.name, event_bridge_cron(schedule));
    format!(
        "        Schedule:\n          Type: ScheduleV2\n          Properties:\n            \
         Name: !Sub '${{AWS::StackName}}-{name}'\n            \
         ScheduleExpression: cron({schedule})\n            \
         RoleArn: !GetAtt SchedulerRole.Arn\n            \
         Input: '{{\"source\": \"aws.scheduler\"}}'\n            \
         RetryPolicy:\n              MaximumRetryAttempts: 3\n              \
         MaximumEventAgeInSeconds: 300\n            \
         DeadLetterConfig:\n              Arn: !GetAtt FailedJobs.Arn\n"
    )
}

/// The alarm of a webhook's function URL, whose calls the HTTP API does not count.
fn webhook_alarm(endpoint: &Endpoint) -> String {
    let id = function_id(endpoint);
    format!(
        "\n  {id}Alarm:\n    Type: AWS::CloudWatch::Alarm\n    Properties:\n      \
         AlarmDescription: '{path} answered 5xx at its function URL. Stripe sends the events again.'\n      \
         Namespace: AWS/Lambda\n      MetricName: Url5xxCount\n      \
         Dimensions: [{{ Name: FunctionName, Value: !Ref {id} }}]\n      \
         Statistic: Sum\n      Period: 300\n      EvaluationPeriods: 1\n      \
         Threshold: 5\n      ComparisonOperator: GreaterThanOrEqualToThreshold\n      \
         TreatMissingData: notBreaching\n      AlarmActions: [!Ref Alarms]\n",
        path = endpoint.path
    )
}

/// The schedule as EventBridge writes it, with a sixth field, the year.
fn event_bridge_cron(schedule: Schedule) -> String {
    match schedule {
        Schedule::EveryMinute => "* * * * ? *".to_owned(),
        Schedule::Daily { hour, minute } => format!("{minute} {hour} * * ? *"),
    }
}

/// The id of an endpoint's function in the template.
pub fn function_id(endpoint: &Endpoint) -> String {
    endpoint.name.split('-').map(capitalized).collect::<String>() + "Function"
}

/// Converts `CRON_SECRET` into `CronSecret`: logical ids have only letters and digits.
fn logical_id(name: &str) -> String {
    name.to_lowercase().split('_').map(capitalized).collect()
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_has_a_function_url() {
        static WEBHOOK: Endpoint = Endpoint::new(
            "stripe-webhook",
            "/api/stripe/webhook",
            &[shared::http::Method::Post],
            Access::Stripe,
            axum::routing::MethodRouter::new,
        );
        let yaml = template(&[&WEBHOOK]).unwrap();
        assert!(yaml.contains("FunctionUrlConfig:\n        AuthType: NONE"), "{yaml}");
        let output = "Value: !Sub '${StripeWebhookFunctionUrl.FunctionUrl}api/stripe/webhook'";
        assert!(yaml.contains(output), "its root answers 404: {yaml}");
    }
}
