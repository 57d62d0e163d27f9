//! Events of payload format 2.0, and the responses that AWS makes of a function's answers.

use std::collections::BTreeMap;

use anyhow::Context as _;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::{Request, Response};

/// The AWS service between the caller and the function.
#[derive(Clone, Copy, Debug)]
pub enum Front {
    HttpApi,
    FunctionUrl,
}

/// The encoding of a body inside an event.
#[derive(Clone, Copy, Debug)]
pub enum Encoding {
    Text,
    Base64,
}

/// A request as an event of payload format 2.0. A body that is not text is always encoded.
pub fn event(request: &Request, front: Front, encoding: Encoding) -> Value {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let method = &request.method;
    let (domain, account, route) = match front {
        Front::HttpApi => (
            "id.execute-api.eu-central-1.amazonaws.com",
            "123456789012",
            format!("{method} {path}"),
        ),
        Front::FunctionUrl => {
            ("id.lambda-url.eu-central-1.on.aws", "anonymous", "$default".to_owned())
        }
    };
    let text = match encoding {
        Encoding::Text => str::from_utf8(&request.body).ok(),
        Encoding::Base64 => None,
    };
    let mut event = json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers(request, domain),
        "requestContext": {
            "accountId": account,
            "apiId": "id",
            "domainName": domain,
            "domainPrefix": "id",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.from.to_string(),
                "userAgent": "a-browser",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": route,
            "stage": "$default",
            "time": "14/Nov/2026:09:30:00 +0000",
            "timeEpoch": 1_794_648_600_000_u64,
        },
        "isBase64Encoded": text.is_none(),
    });
    if !request.body.is_empty() {
        let body = text.map_or_else(|| STANDARD.encode(&request.body), str::to_owned);
        event["body"] = body.into();
    }
    event
}

/// The caller's headers, repeated ones joined, and those that AWS adds. AWS keeps the address that
/// a caller claims, and appends the real one.
fn headers(request: &Request, domain: &str) -> Map<String, Value> {
    let mut headers = BTreeMap::<&str, Vec<String>>::new();
    for (name, value) in &request.headers {
        headers.entry(name).or_default().push(value.clone());
    }
    headers.entry("x-forwarded-for").or_default().push(request.from.to_string());
    headers.insert("host", vec![domain.to_owned()]);
    headers.insert("user-agent", vec!["a-browser".to_owned()]);
    headers.insert("x-forwarded-port", vec!["443".to_owned()]);
    headers.insert("x-forwarded-proto", vec!["https".to_owned()]);
    if request.announces_length {
        headers.insert("content-length", vec![request.body.len().to_string()]);
    }
    let joined = headers.into_iter().map(|(name, all)| (name.to_owned(), all.join(",").into()));
    joined.collect()
}

/// The HTTP response that AWS sends for a function's answer.
pub(super) fn response(answer: &Value) -> anyhow::Result<Response> {
    let mut headers = HeaderMap::new();
    let listed = answer["headers"].as_object().into_iter().flatten();
    let cookies = answer["cookies"].as_array().into_iter().flatten();
    let cookies = cookies.map(|cookie| ("set-cookie", cookie));
    for (name, value) in listed.map(|(name, value)| (name.as_str(), value)).chain(cookies) {
        let value = value.as_str().context("a header is not text")?;
        headers.append(HeaderName::try_from(name)?, HeaderValue::from_str(value)?);
    }
    let text = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => STANDARD.decode(text)?,
        _ => text.as_bytes().to_vec(),
    };
    let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
    let status = status.with_context(|| format!("the answer has no status: {answer}"))?;
    Ok(Response { status: StatusCode::from_u16(status)?, headers, body: Bytes::from(body) })
}
