//! Reads `items` of a new subscription and of a change.

use serde_json::Value;

use crate::api::metadata;
use crate::api::params::Params;
use crate::error::StripeError;
use crate::lifecycle::subscriptions::items::{self, ItemChange, NewItem};
use crate::world::{World, text};

/// Reads `items` of a new subscription.
pub fn read_new(world: &World, form: &Params) -> Result<Vec<NewItem>, StripeError> {
    let entries = form.objects("items")?.unwrap_or_default();
    if entries.is_empty() {
        return Err(form.missing("items"));
    }
    entries.iter().map(|entry| read_one(world, entry)).collect()
}

fn read_one(world: &World, entry: &Params) -> Result<NewItem, StripeError> {
    let id = match entry.text("price")? {
        Some(id) => id,
        None => entry.text("plan")?.ok_or_else(|| entry.missing("price"))?,
    };
    let price = items::recurring_price(world, &id, &entry.name("price"))?;
    let quantity = entry.integer_from("quantity", 0)?.unwrap_or(1);
    Ok(NewItem { price, quantity, metadata: metadata::of(entry)? })
}

/// Reads `items` of a change: an entry with an `id` changes an existing item, others add items.
pub fn read_changes(
    world: &World,
    form: &Params,
    subscription: &Value,
) -> Result<Option<Vec<ItemChange>>, StripeError> {
    let Some(entries) = form.objects("items")? else { return Ok(None) };
    let read = |entry: &Params| match entry.text("id")? {
        Some(id) => read_change(world, entry, subscription, &id, &entry.name("id")),
        None => read_one(world, entry).map(ItemChange::Add),
    };
    entries.iter().map(read).collect::<Result<_, _>>().map(Some)
}

/// Reads the change of one item. `param` is the parameter that named it, for errors.
pub fn read_change(
    world: &World,
    form: &Params,
    subscription: &Value,
    id: &str,
    param: &str,
) -> Result<ItemChange, StripeError> {
    let item = items::of(subscription).iter().find(|item| text(item, "id") == id);
    let item = item.ok_or_else(|| StripeError::missing("subscription_item", id, param))?;
    let deleted = form.boolean("deleted")?.unwrap_or(false);
    let price = match form.text("price")? {
        Some(price) => Some(items::recurring_price(world, &price, &form.name("price"))?),
        None => None,
    };
    let quantity = form.integer_from("quantity", 0)?;
    let metadata = metadata::merged(form, &item["metadata"])?;
    form.ignore(&["clear_usage"]);
    let id = id.to_owned();
    Ok(match deleted {
        true => ItemChange::Delete(id),
        false => ItemChange::Change { id, price, quantity, metadata },
    })
}
