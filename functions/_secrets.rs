//! Reads settings from AWS Secrets Manager, for deployments that keep secrets out of a function's
//! environment.
//!
//! `FAREBOX_SECRET` names a secret, which holds a JSON object of settings. A setting in
//! the environment overrides the secret. Credentials and region come from Lambda's environment, through
//! aws-config. The single request is signed here and sent with Farebox's HTTP client, because the
//! generated SDK would double the size of a function.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::environment::{
    EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider,
};
use aws_config::meta::region::ProvideRegion as _;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use axum::http::{HeaderName, HeaderValue, Request};
use bytes::Bytes;
use http_body_util::Full;
use jiff::{SignedDuration, Timestamp};
use lambda_http::Error;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::adapters::http_client::{Budget, HttpClient};
use shared::app::environment;
use shared::clock::Clock;

const BUDGET: Budget = Budget {
    connect: Duration::from_secs(2),
    answer: Duration::from_secs(3),
    max_bytes: 256 * 1024,
};

/// The seconds after which the secret is read again, unless `FAREBOX_SECRET_SECONDS` is set.
const SECRET_SECONDS: i64 = 300;

/// The longest part of Secrets Manager's error that is repeated in ours.
const REPEATED_CHARS: usize = 300;

/// The error of a secret that could not be read. The source is the cause.
#[derive(Debug)]
pub(crate) struct SecretError {
    name: String,
    region: Option<String>,
    cause: Error,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let region = self.region.as_deref().unwrap_or("no region");
        write!(f, "cannot read the secret {} in {region}", self.name)
    }
}

impl std::error::Error for SecretError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.cause.as_ref())
    }
}

/// The settings of the environment and of the secret.
pub(crate) struct Settings {
    secret: Option<Secret>,
}

struct Secret {
    name: String,
    settings: BTreeMap<String, String>,
    /// By the wall clock, because the process's own clock may stand still while it is frozen.
    read_at: Mutex<Timestamp>,
    lifetime: SignedDuration,
}

impl Settings {
    pub(crate) async fn read() -> Result<Self, SecretError> {
        let Some(name) = environment("FAREBOX_SECRET").filter(|name| !name.is_empty()) else {
            return Ok(Self { secret: None });
        };
        let seconds = environment("FAREBOX_SECRET_SECONDS").and_then(|text| text.parse().ok());
        let lifetime = SignedDuration::from_secs(seconds.unwrap_or(SECRET_SECONDS));
        let settings = read(&name).await?;
        let read_at = Mutex::new(Clock::default().now());
        Ok(Self { secret: Some(Secret { name, settings, read_at, lifetime }) })
    }

    /// Returns true once per lifetime of the secret, so that a failed read is not repeated by every
    /// request.
    pub(crate) fn are_due(&self) -> bool {
        self.secret.as_ref().is_some_and(Secret::is_due)
    }

    /// Reads the secret again. Returns the settings if they have changed.
    pub(crate) async fn refreshed(&self) -> Result<Option<Self>, SecretError> {
        let Some(secret) = &self.secret else { return Ok(None) };
        let settings = read(&secret.name).await?;
        if settings == secret.settings {
            return Ok(None);
        }
        let (name, lifetime) = (secret.name.clone(), secret.lifetime);
        let read_at = Mutex::new(Clock::default().now());
        Ok(Some(Self { secret: Some(Secret { name, settings, read_at, lifetime }) }))
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let set = environment(name).filter(|value| !value.is_empty());
        set.or_else(|| self.secret.as_ref()?.settings.get(name).cloned())
    }
}

impl Secret {
    fn is_due(&self) -> bool {
        let now = Clock::default().now();
        let mut read_at = self.read_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = now.duration_since(*read_at) >= self.lifetime;
        if is_due {
            *read_at = now;
        }
        is_due
    }
}

async fn read(name: &str) -> Result<BTreeMap<String, String>, SecretError> {
    let region = EnvironmentVariableRegionProvider::new().region().await;
    let region = region.map(|region| region.to_string());
    let read = read_from(name, region.as_deref()).await;
    read.map_err(|cause| SecretError { name: name.to_owned(), region, cause })
}

async fn read_from(name: &str, region: Option<&str>) -> Result<BTreeMap<String, String>, Error> {
    let region = region.ok_or("AWS_REGION is not set")?;
    let own = environment("AWS_ENDPOINT_URL_SECRETS_MANAGER");
    let url = own.unwrap_or_else(|| format!("https://secretsmanager.{region}.amazonaws.com/"));
    let body = json!({ "SecretId": name }).to_string();
    let mut request = Request::post(&url)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "secretsmanager.GetSecretValue")
        .body(Full::new(Bytes::from(body.clone())))?;
    for (name, value) in signature(&request, &body, region).await? {
        request.headers_mut().insert(name, value);
    }
    let answer = HttpClient::default().call(request, BUDGET).await?;
    if !answer.status.is_success() {
        let reason = reason(&answer.body);
        return Err(format!("Secrets Manager answered {}{reason}", answer.status).into());
    }
    parse(&answer.body)
}

async fn signature(
    request: &Request<Full<Bytes>>,
    body: &str,
    region: &str,
) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    let credentials = EnvironmentVariableCredentialsProvider::new().provide_credentials().await?;
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("secretsmanager")
        .time(SystemTime::from(Clock::default().now()))
        .settings(SigningSettings::default())
        .build()?
        .into();
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let body = SignableBody::Bytes(body.as_bytes());
    let signable = SignableRequest::new("POST", request.uri().to_string(), headers, body)?;
    let (instructions, _) = sign(signable, &params)?.into_parts();
    let (headers, _) = instructions.into_parts();
    let header = |name: &str, value: &str| -> Result<_, Error> {
        Ok((HeaderName::try_from(name)?, HeaderValue::try_from(value)?))
    };
    headers.iter().map(|signed| header(signed.name(), signed.value())).collect()
}

/// The kind and the message of an error. For a missing permission, the message names the role and
/// the action.
fn reason(answer: &[u8]) -> String {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct ServiceError {
        #[serde(rename = "__type")]
        kind: String,
        #[serde(rename = "Message", alias = "message")]
        message: String,
    }
    let ServiceError { kind, message } = serde_json::from_slice(answer).unwrap_or_default();
    let kind = kind.rsplit('#').next().unwrap_or_default();
    let parts = [kind, &message].into_iter().filter(|part| !part.is_empty());
    parts.flat_map(|part| [": ", part]).flat_map(str::chars).take(REPEATED_CHARS).collect()
}

fn parse(answer: &[u8]) -> Result<BTreeMap<String, String>, Error> {
    #[derive(Deserialize)]
    struct Secret {
        #[serde(rename = "SecretString")]
        text: String,
    }
    // A parse error could quote the secret, so it is replaced by a fixed message.
    const FORM: &str = "the secret must be a JSON object of settings";
    let secret: Secret = serde_json::from_slice(answer).map_err(|_| FORM)?;
    let settings: BTreeMap<String, Value> = serde_json::from_str(&secret.text).map_err(|_| FORM)?;
    let text = |value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(settings.into_iter().map(|(name, value)| (name, text(value))).collect())
}
