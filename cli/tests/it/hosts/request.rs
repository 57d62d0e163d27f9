//! A request that can be sent to any host.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use serde_json::Value;

use crate::support::ApiResponse;

/// Everything that a host receives of a call.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// With its query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// True if the request has a Content-Length header.
    pub announces_length: bool,
    /// The address from which the platform sees the request come.
    pub from: IpAddr,
}

impl Request {
    /// Sets a fixed request id, so that two answers can be compared byte by byte.
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

    /// An unchanged body with the content type of JSON.
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

    /// Sends the request to a server, with the headers that a proxy in front adds.
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
