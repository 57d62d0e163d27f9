use std::fmt::Display;

use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use crate::domain::error::{Error, Result};

/// The query parameters of a request. If a name is repeated, its last value counts. Unknown
/// parameters are ignored.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

/// The number of entries on a page of a list.
#[derive(Clone, Copy, Debug)]
pub struct PageSize(usize);

impl Query {
    pub fn of(uri: &Uri) -> Self {
        let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// Returns a parsed parameter, if it is present.
    pub fn get<T, E: Display>(
        &self,
        name: &str,
        parse: impl FnOnce(String) -> Result<T, E>,
    ) -> Result<Option<T>> {
        let Some((_, value)) = self.0.iter().rfind(|(given, _)| given == name) else {
            return Ok(None);
        };
        match parse(value.clone()) {
            Ok(value) => Ok(Some(value)),
            Err(what) => Err(Error::invalid(name, what.to_string())),
        }
    }

    /// Returns the cursor: the entry after which the page begins.
    pub fn cursor<T: DeserializeOwned>(
        &self,
        is_possible: impl FnOnce(&T) -> bool,
    ) -> Result<Option<T>> {
        self.get("cursor", |text| {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok();
            let place = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            place.filter(is_possible).ok_or("must be the nextCursor of an earlier page")
        })
    }

    pub fn limit(&self) -> Result<PageSize> {
        self.limit_up_to(PageSize::DEFAULT, PageSize::MAX)
    }

    /// Returns the page size of a list with another default and maximum.
    pub fn limit_up_to(&self, default: usize, max: usize) -> Result<PageSize> {
        let limit = self.get("limit", |text| PageSize::read(text, max))?;
        Ok(limit.unwrap_or(PageSize(default)))
    }
}

impl PageSize {
    const DEFAULT: usize = 20;
    const MAX: usize = 100;

    fn read(text: String, max: usize) -> Result<Self, String> {
        let size = text.parse().ok().filter(|size| (1..=max).contains(size));
        let size = size.ok_or_else(|| format!("must be a whole number from 1 to {max}"))?;
        Ok(Self(size))
    }

    pub fn size(self) -> i32 {
        self.0 as i32
    }

    /// Returns how many entries to fetch: one more than the page has, to detect another page.
    pub fn more(self) -> i32 {
        self.0 as i32 + 1
    }

    /// Returns the page, and the cursor of the next one if there is another.
    pub fn page<T, C: Serialize>(
        self,
        mut found: Vec<T>,
        place: impl Fn(&T) -> C,
    ) -> (Vec<T>, Option<String>) {
        let is_last = found.len() <= self.0;
        found.truncate(self.0);
        let next = found.last().filter(|_| !is_last).map(|last| cursor(&place(last)));
        (found, next)
    }
}

/// Encodes the end of a page as an opaque cursor.
pub fn cursor(place: &impl Serialize) -> String {
    // Numbers and texts always serialize; the fallback is for the type checker.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}
