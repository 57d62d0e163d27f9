//! `template.yaml`: the SAM template. It has one HTTP API for all routes, a function URL for each
//! webhook, a schedule for each job, and a parameter for each setting.

use std::fmt::Write as _;

use shared::config::{SETTINGS, Setting};
use shared::http::{Access, Endpoint};

/// The whole template.
pub(super) fn template(table: &[&Endpoint]) -> String {
    let mut yaml = String::from(HEAD);
    let settings = || SETTINGS.iter().filter(|setting| !setting.for_servers);
    for setting in settings() {
        yaml += &parameter(setting);
    }
    yaml += "\nConditions:\n";
    for id in settings().map(|setting| logical_id(setting.name)).chain([SECRET.to_owned()]) {
        yaml += &format!("  Has{id}: !Not [!Equals [!Ref {id}, '']]\n");
    }
    yaml += GLOBALS;
    for setting in settings() {
        yaml += &variable(setting);
    }
    yaml += RESOURCES;
    for endpoint in table {
        yaml += &function(endpoint);
    }
    yaml += "\nOutputs:\n  ApiUrl:\n    Description: The base URL of the routes.\n    \
             Value: !Sub 'https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}'\n";
    for endpoint in table.iter().filter(|endpoint| endpoint.access == Access::Stripe) {
        let id = function_id(endpoint);
        // A function URL ends in a slash.
        let path = endpoint.path.trim_start_matches('/');
        let _ = write!(
            yaml,
            "  {id}Url:\n    Description: The URL to register at Stripe as a webhook endpoint.\n    \
             Value: !Sub '${{{id}Url.FunctionUrl}}{path}'\n"
        );
    }
    yaml
}

const HEAD: &str = "\
# Rendered from the endpoint table and the settings: run `farebox render`.
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Description: Farebox, the billing back end of a SaaS product.

Parameters:
  FareboxSecretArn:
    Type: String
    Description: 'ARN of a Secrets Manager secret with settings as JSON; other parameters override it'
    Default: ''
";

/// The parameter for a secret that contains settings.
const SECRET: &str = "FareboxSecretArn";

const GLOBALS: &str = "
Globals:
  Function:
    Runtime: provided.al2023
    Architectures: [arm64]
    Handler: bootstrap
    MemorySize: 256
    Timeout: 30
    Environment:
      Variables:
        FAREBOX_SECRET_ARN: !If [HasFareboxSecretArn, !Ref FareboxSecretArn, !Ref AWS::NoValue]
";

const RESOURCES: &str = "
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      StageName: $default
";

/// A policy that allows a function to read that secret.
const READ_SECRET: &str = "      Policies:
        - !If
          - HasFareboxSecretArn
          - Statement:
              - Effect: Allow
                Action: secretsmanager:GetSecretValue
                Resource: !Ref FareboxSecretArn
          - !Ref AWS::NoValue
";

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
    let name = endpoint.name;
    let mut yaml = format!(
        "\n  {id}:\n    Type: AWS::Serverless::Function\n    \
         Metadata:\n      BuildMethod: rust-cargolambda\n      \
         BuildProperties:\n        Binary: lambda-{name}\n    \
         Properties:\n      CodeUri: .\n{READ_SECRET}"
    );
    if endpoint.access == Access::Stripe {
        yaml += "      FunctionUrlConfig:\n        AuthType: NONE\n";
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

/// The schedule of a function. Its event has the form of a request with the cron secret.
fn event(endpoint: &Endpoint, schedule: &str) -> String {
    let path = endpoint.path;
    let method = endpoint.methods.first().map_or("GET", |method| method.as_str());
    let schedule = event_bridge_cron(schedule);
    format!(
        "        Schedule:\n          Type: Schedule\n          Properties:\n            \
         Schedule: cron({schedule})\n            Input: !Sub |\n              \
         {{\"version\": \"2.0\", \"rawPath\": \"{path}\", \"headers\": {{\"authorization\": \
         \"Bearer ${{CronSecret}}\"}}, \"requestContext\": {{\"http\": {{\"method\": \
         \"{method}\", \"path\": \"{path}\"}}}}}}\n"
    )
}

/// Converts a cron expression. EventBridge has a sixth field, the year, and requires `?` for the
/// day of the month or of the week.
fn event_bridge_cron(schedule: &str) -> String {
    let fields: Vec<&str> = schedule.split(' ').collect();
    match fields[..] {
        [minute, hour, day, month, "*"] => format!("{minute} {hour} {day} {month} ? *"),
        [minute, hour, _, month, weekday] => format!("{minute} {hour} ? {month} {weekday} *"),
        _ => schedule.to_owned(),
    }
}

fn function_id(endpoint: &Endpoint) -> String {
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
    fn a_cron_expression_gets_a_sixth_field() {
        assert_eq!(event_bridge_cron("15 3 * * *"), "15 3 * * ? *");
        assert_eq!(event_bridge_cron("0 4 * * 1"), "0 4 ? * 1 *");
    }

    #[test]
    fn a_webhook_has_a_function_url() {
        static WEBHOOK: Endpoint = Endpoint::new(
            "stripe-webhook",
            "/api/stripe/webhook",
            &[shared::http::Method::Post],
            Access::Stripe,
            axum::routing::MethodRouter::new,
        );
        let yaml = template(&[&WEBHOOK]);
        assert!(yaml.contains("FunctionUrlConfig:\n        AuthType: NONE"), "{yaml}");
        let output = "Value: !Sub '${StripeWebhookFunctionUrl.FunctionUrl}api/stripe/webhook'";
        assert!(yaml.contains(output), "its root answers 404: {yaml}");
    }
}
