//! From an unexpected response to its probable cause, and the fix. docs/SETUP.md ("Troubleshooting")
//! has the same causes by symptom.

use serde_json::Value;

use super::client::Answer;
use super::story::{Unpassed, failed};

/// The fix for a response that no setting explains.
pub(super) const REPORT: &str =
    "Report this as a mistake of Farebox, with the lines of the deployment's log.";

const NO_DEPLOYMENT: &str = "Check the URL: Vercel has no deployment or no function there.";
const NOT_STARTED: &str = "The function does not start, or it crashed. Its log says why; a missing \
                           setting is the usual cause. Run `farebox doctor` with the deployment's \
                           settings.";
const NO_ROUTE: &str = "Check the URL: API Gateway has no such route. If its stage has a name, such \
                        as prod, the URL must end with it; Farebox's template uses $default, which \
                        has none.";
const STAGE_IN_PATH: &str = "The path reaches Farebox with a prefix, such as the name of an API \
                             Gateway stage. Use the stage $default, or map a domain to the stage.";
const PROTECTED: &str = "Pass the secret of Protection Bypass for Automation as --bypass or \
                         VERCEL_AUTOMATION_BYPASS_SECRET, or turn Deployment Protection off for \
                         this deployment. Stripe is blocked too: append \
                         ?x-vercel-protection-bypass=SECRET to the URL of its webhook endpoint.";

/// Returns true if Vercel's deployment protection answered instead of Farebox.
pub(super) fn is_protected(answer: &Answer) -> bool {
    let has_nonce =
        answer.headers.get_all("set-cookie").iter().any(|cookie| {
            cookie.to_str().is_ok_and(|cookie| cookie.starts_with("_vercel_sso_nonce"))
        });
    let is_of_vercel = answer.headers.keys().any(|name| name.as_str().starts_with("x-vercel-"));
    let is_refused = [401, 403].contains(&answer.status);
    has_nonce || is_of_vercel && is_refused && !answer.body["code"].is_string()
}

pub(super) fn explain(answer: &Answer) -> Unpassed {
    let status = answer.status;
    if is_protected(answer) {
        let found = format!("{status}: Vercel's deployment protection answered, not Farebox");
        return failed(found, PROTECTED);
    }
    if let (Some(code), detail) = (answer.body["code"].as_str(), text(&answer.body, "detail")) {
        let id = text(&answer.body, "requestId");
        let found = format!("{status} {code}: {}", detail.trim_end_matches('.'));
        return failed(found, of_problem(code, detail, id));
    }
    let vercel = answer.header("x-vercel-error");
    let message = text(&answer.body, "message");
    match (status, vercel, message) {
        (_, "DEPLOYMENT_NOT_FOUND" | "NOT_FOUND", _) => {
            failed(format!("{status} {vercel} of Vercel"), NO_DEPLOYMENT)
        }
        (_, vercel, _) if !vercel.is_empty() => {
            failed(format!("{status} {vercel} of Vercel"), NOT_STARTED)
        }
        (403 | 404, _, message) if !message.is_empty() => {
            failed(format!("{status}: {message}"), NO_ROUTE)
        }
        (300..400, _, _) => {
            let target = answer.header("location");
            failed(format!("{status}: redirected to {target}"), "Pass the final URL as --url.")
        }
        (500.., _, _) => failed(format!("{status} without a code of Farebox"), NOT_STARTED),
        _ if answer.is_html() => {
            let fix = "Check the URL: it is that of an app or of a proxy.";
            failed(format!("{status}: a web page, not Farebox"), fix)
        }
        _ => {
            let fix = "Check the URL, and that it is a deployment of this version of Farebox.";
            failed(format!("{status}: an unexpected response"), fix)
        }
    }
}

/// Returns the fix for a problem that Farebox itself reports.
fn of_problem(code: &str, detail: &str, request_id: &str) -> String {
    let fix = match code {
        "invalid_token" | "expired_token" => of_token(detail),
        "not_found" => STAGE_IN_PATH,
        "nothing_is_sold" => "Publish a catalog: `farebox catalog push FILE`.",
        "redis_unavailable" => {
            "Run `farebox doctor` with the deployment's settings. Check that the token of Redis may \
             write, and that Redis is in the region of the functions."
        }
        "database_unavailable" => {
            "Run `farebox doctor` with the deployment's settings. A database that is suspended \
             while it is idle may need a second attempt."
        }
        "stripe_unavailable" => {
            "Check the deployment's STRIPE_SECRET_KEY, its permissions, and STRIPE_API_URL."
        }
        "auth_keys_unavailable" => "Check AUTH_JWKS_URL: it must return a JSON Web Key Set.",
        "invalid_input" if detail.contains("ALLOWED_ORIGINS") => {
            "Pass one of the deployment's ALLOWED_ORIGINS as --origin."
        }
        "rate_limited" | "storage_rate_limited" => "Wait a minute, and run this again.",
        _ => {
            return format!("The deployment's log has the cause, at the request id {request_id}.");
        }
    };
    fix.to_owned()
}

fn of_token(detail: &str) -> &'static str {
    const FIXES: [(&str, &str); 6] = [
        (
            "service key",
            "Set FAREBOX_SERVICE_KEY to the key whose hash is in the deployment's SERVICE_KEYS. \
             `farebox key service` prints a new pair.",
        ),
        ("cron secret", "Set the same CRON_SECRET here and in the deployment."),
        (
            "issuer",
            "Set the deployment's AUTH_ISSUER to the `iss` of a token, to the last character.",
        ),
        ("audience", "Correct or unset the deployment's AUTH_AUDIENCE."),
        ("party", "Add the page's origin to the deployment's AUTH_AUTHORIZED_PARTIES."),
        ("AUTH_TOKEN_LIFETIME_HOURS", "Shorten the tokens' lifetime, or raise that setting."),
    ];
    let known = FIXES.iter().find(|(words, _)| detail.contains(words));
    known.map_or("Check the key or token, and the deployment's AUTH_ settings.", |(_, fix)| fix)
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName};

    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], text: &str) -> Answer {
        let pairs = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
        let headers: HeaderMap = pairs.collect();
        let body = serde_json::from_str(text).unwrap_or_default();
        Answer { status, headers, text: text.to_owned(), body }
    }

    #[test]
    fn each_platforms_responses_have_their_cause() {
        let html = ("content-type", "text/html");
        let problem = r#"{"code": "not_found", "detail": "There is nothing at this path."}"#;
        let token = r#"{"code": "invalid_token", "detail": "It comes from another issuer."}"#;
        let gateway = r#"{"message": "Not Found"}"#;
        let crashed = r#"{"message": "Internal Server Error"}"#;
        let vercel = ("x-vercel-id", "fra1::1");
        for (status, headers, text, words) in [
            (401, vec![html, ("set-cookie", "_vercel_sso_nonce=1")], "<p>", "--bypass"),
            (401, vec![html, vercel], "<p>", "--bypass"),
            (401, vec![vercel], token, "AUTH_ISSUER"),
            (500, vec![("x-vercel-error", "FUNCTION_INVOCATION_FAILED")], "", "does not start"),
            (404, vec![("x-vercel-error", "NOT_FOUND"), vercel], "", "no deployment"),
            (404, vec![], problem, "prefix"),
            (404, vec![], gateway, "API Gateway has no such route"),
            (500, vec![], crashed, "does not start"),
            (200, vec![html], "<p>", "an app or of a proxy"),
            (308, vec![("location", "https://www.example.com/")], "", "the final URL"),
            (204, vec![], "", "this version of Farebox"),
        ] {
            let Unpassed::Failed { found, fix } = explain(&answer(status, &headers, text)) else {
                panic!("{text} is skipped");
            };
            assert!(fix.contains(words), "{status} {text}: {found}: {fix}");
        }
    }

    #[test]
    fn farebox_behind_vercel_is_not_mistaken_for_the_protection() {
        let problem = r#"{"code": "missing_token", "detail": "Send a token.", "requestId": "r1"}"#;
        assert!(!is_protected(&answer(401, &[("x-vercel-id", "fra1::1")], problem)));
        assert!(!is_protected(&answer(200, &[("x-vercel-id", "fra1::1")], "{}")));
    }
}
