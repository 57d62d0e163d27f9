//! A request that can be carried to any host.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use serde_json::Value;

use crate::support::ApiResponse;

/// Everything a host is told of a call.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// With its query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// Whether the caller says beforehand how long the body is.
    pub announces_length: bool,
    /// Where the platform sees it come from.
    pub from: IpAddr,
}

impl Request {
    /// With a fixed request id, so that two answers to it can be the same to the byte.
    pub fn new(method: &str, path: impl Into<String>) -> Self {
        let request = Self {
            method: method.to_owned(),
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            announces_length: true,
            from: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
        };
        request.header("x-request-id", "the-same")
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn json(self, body: &Value) -> Self {
        self.raw(&body.to_string())
    }

    /// A body as it stands, said to be JSON.
    pub fn raw(self, body: &str) -> Self {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Self { body, ..self.header("content-type", "application/json") }
    }

    pub fn without_length(self) -> Self {
        Self { announces_length: false, ..self }
    }

    pub fn from(self, address: IpAddr) -> Self {
        Self { from: address, ..self }
    }

    /// Sends it to a server, with what a proxy in front adds.
    pub async fn over_http(&self, http: &reqwest::Client, base: &str) -> ApiResponse {
        let method = self.method.parse().unwrap();
        let mut request = http.request(method, format!("{base}{}", self.path));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if self.announces_length {
            request = request.body(self.body.clone());
        } else {
            let whole = std::io::Result::Ok(self.body.clone());
            let stream = futures_util::stream::iter([whole]);
            request = request.body(reqwest::Body::wrap_stream(stream));
        }
        ApiResponse::of(request.send().await.unwrap()).await
    }
}
