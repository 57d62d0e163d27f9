//! The facts of a customer: the user, the e-mail address, and whether the customer is deleted.

use serde_json::{Value, json};

use super::{Unreadable, metadata_user_id};
use crate::domain::object::{Object, flag, text};

pub(super) fn customer(object: &Object, is_deletion: bool) -> Result<Value, Unreadable> {
    Ok(json!({
        "id": text(object, "id").ok_or(Unreadable("id"))?,
        "user_id": metadata_user_id(object),
        "email": text(object, "email"),
        "deleted": is_deletion || flag(object, "deleted"),
    }))
}
