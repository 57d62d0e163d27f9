//! Stripe's pagination: newest first, with `starting_after`, `ending_before` and `created` filters.

use serde_json::{Value, json};

use crate::api::Call;
use crate::api::params::Params;
use crate::error::StripeError;
use crate::world::text;

const DEFAULT_LIMIT: usize = 10;

const MAX_LIMIT: usize = 100;

/// Returns one page of these objects, which must be ordered newest first. Reads the remaining
/// parameters, so the route must have read its own before.
pub fn response<'a>(
    call: &Call,
    url: &str,
    objects: impl Iterator<Item = &'a Value>,
) -> Result<Value, StripeError> {
    let times = Times::of(&call.form, "created")?;
    let page = Pagination::of(&call.form)?;
    call.form.finish()?;
    let objects: Vec<&Value> =
        objects.filter(|object| times.hold(object["created"].as_i64().unwrap_or(0))).collect();
    page.cut(&objects, url)
}

struct Pagination {
    limit: usize,
    starting_after: Option<String>,
    ending_before: Option<String>,
}

impl Pagination {
    fn of(form: &Params) -> Result<Self, StripeError> {
        Ok(Self {
            limit: limit(form)?,
            starting_after: form.text("starting_after")?,
            ending_before: form.text("ending_before")?,
        })
    }

    fn cut(&self, objects: &[&Value], url: &str) -> Result<Value, StripeError> {
        let place = |id: &str, param: &str| {
            let missing = || StripeError::missing("object", id, param);
            objects.iter().position(|object| text(object, "id") == id).ok_or_else(missing)
        };
        let (mut from, mut to) = (0, objects.len());
        if let Some(id) = &self.starting_after {
            from = place(id, "starting_after")? + 1;
        }
        if let Some(id) = &self.ending_before {
            to = place(id, "ending_before")?.max(from);
        }
        let within = &objects[from..to];
        let has_more = within.len() > self.limit;
        let shown = match self.ending_before {
            // The objects nearest to `ending_before` are the last ones.
            Some(_) => &within[within.len().saturating_sub(self.limit)..],
            None => &within[..within.len().min(self.limit)],
        };
        Ok(json!({ "object": "list", "data": shown, "has_more": has_more, "url": url }))
    }
}

/// Reads `limit`.
pub fn limit(form: &Params) -> Result<usize, StripeError> {
    let Some(given) = form.integer("limit")? else { return Ok(DEFAULT_LIMIT) };
    let within = usize::try_from(given).ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    within.ok_or_else(|| {
        let message = format!("This value must be between 1 and {MAX_LIMIT} (passed {given}).");
        StripeError::invalid("parameter_invalid_integer", "limit", message)
    })
}

/// A range of times: `created=1` or `created[gte]=1`.
pub struct Times {
    from: i64,
    to: i64,
}

impl Times {
    pub fn of(form: &Params, name: &str) -> Result<Self, StripeError> {
        let Ok(Some(bounds)) = form.object(name) else {
            let exact = form.integer(name)?;
            return Ok(Self { from: exact.unwrap_or(i64::MIN), to: exact.unwrap_or(i64::MAX) });
        };
        let from = [bounds.integer("gte")?, bounds.integer("gt")?.map(|after| after + 1)];
        let to = [bounds.integer("lte")?, bounds.integer("lt")?.map(|before| before - 1)];
        Ok(Self {
            from: from.into_iter().flatten().max().unwrap_or(i64::MIN),
            to: to.into_iter().flatten().min().unwrap_or(i64::MAX),
        })
    }

    pub fn hold(&self, time: i64) -> bool {
        (self.from..=self.to).contains(&time)
    }
}
