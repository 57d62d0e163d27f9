//! Reads one of Stripe's lists page by page. If a run has too little time, the next run continues.

use std::time::Instant;

use serde_json::Value;
use stripe_client_core::RequestBuilder;

use crate::app::App;
use crate::domain::Snapshot;
use crate::domain::error::Result;
use crate::domain::object::{Object, flag, integer, text};

pub(super) struct StripePages<'a> {
    app: &'a App,
    job: &'static str,
    until: Option<Instant>,
    after: Option<ListPosition>,
    has_moved: bool,
    pub is_complete: bool,
}

/// An object in a list, after which the next page begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ListPosition {
    pub id: String,
    /// When Stripe created the object, in seconds. Lists are ordered by this time, the newest
    /// first.
    pub created: i64,
}

pub(super) struct ListPage {
    pub objects: Vec<Object>,
    /// The answer with its time, without the objects.
    pub found: Snapshot,
    /// The last object of the previous page, if there is one.
    pub after: Option<ListPosition>,
    /// The last object of this page, if there are more pages.
    pub last: Option<ListPosition>,
}

impl<'a> StripePages<'a> {
    /// Continues where the last run stopped. A run without a time limit starts at the beginning,
    /// and stores no cursor.
    pub async fn begin(
        app: &'a App,
        job: &'static str,
        until: Option<Instant>,
    ) -> Result<StripePages<'a>> {
        let stored = if until.is_some() { app.postgres.job_cursor(job).await? } else { None };
        let after = stored.as_deref().and_then(ListPosition::parse);
        Ok(Self { app, job, until, after, has_moved: false, is_complete: false })
    }

    /// Returns the next page; none at the end of the list or of the time. Every run gets at least
    /// one page.
    pub async fn next(
        &mut self,
        list: impl Fn(Option<&str>) -> RequestBuilder,
    ) -> Result<Option<ListPage>> {
        let is_late = self.until.is_some_and(|until| Instant::now() >= until);
        if self.is_complete || is_late && self.has_moved {
            return Ok(None);
        }
        let after = self.after.as_ref().map(|position| position.id.as_str());
        let mut found = match self.app.stripe.send(&list(after)).await {
            // The object at which the last run stopped no longer exists.
            Err(error) if error.refusal().is_some_and(|it| it.is_missing("starting_after")) => {
                self.after = None;
                self.app.stripe.send(&list(None)).await?
            }
            found => found?,
        };
        let objects = match found.object["data"].take() {
            Value::Array(objects) => objects,
            _ => Vec::new(),
        };
        let last = objects.last().filter(|_| flag(&found.object, "has_more"));
        let last = last.and_then(ListPosition::of);
        Ok(Some(ListPage { objects, found, after: self.after.clone(), last }))
    }

    /// Marks a page as processed, and stores the cursor.
    pub async fn done(&mut self, page: ListPage) -> Result<()> {
        self.has_moved = true;
        self.is_complete = page.last.is_none();
        let before = std::mem::replace(&mut self.after, page.last);
        if self.until.is_some() && before != self.after {
            let cursor = self.after.as_ref().map(ListPosition::to_string);
            let now = self.app.clock.now();
            self.app.postgres.save_job_cursor(self.job, cursor.as_deref(), now).await?;
        }
        Ok(())
    }
}

impl ListPosition {
    fn of(object: &Object) -> Option<Self> {
        Some(Self { id: text(object, "id")?.to_owned(), created: integer(object, "created")? })
    }

    fn parse(stored: &str) -> Option<Self> {
        let (created, id) = stored.split_once(' ')?;
        Some(Self { id: id.to_owned(), created: created.parse().ok()? })
    }
}

impl std::fmt::Display for ListPosition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.created, self.id)
    }
}
