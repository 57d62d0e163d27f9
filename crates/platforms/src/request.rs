//! An HTTP request as a client sends it, before a platform changes its form, and the response.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// The path with its query.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// False sends the body without `content-length`.
    pub announces_length: bool,
    /// The client's address, as the platform sees it.
    pub from: IpAddr,
}

#[derive(Clone, Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Request {
    pub fn new(method: &str, path: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            announces_length: true,
            from: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn json(self, body: &serde_json::Value) -> Self {
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

    /// Sends the request to a server.
    pub async fn over_http(&self, http: &reqwest::Client, base: &str) -> anyhow::Result<Response> {
        let mut request = http.request(self.method.parse()?, format!("{base}{}", self.path));
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
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Response { status, headers, body: response.bytes().await? })
    }
}
