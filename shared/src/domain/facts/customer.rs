//! What a customer says: who they are to us, and whether they are still there.

use serde_json::{Value, json};

use super::{Unreadable, named_user};
use crate::domain::object::{Object, flag, text};

pub(super) fn customer(object: &Object, is_deletion: bool) -> Result<Value, Unreadable> {
    Ok(json!({
        "id": text(object, "id").ok_or(Unreadable("id"))?,
        "user_id": named_user(object),
        "email": text(object, "email"),
        "deleted": is_deletion || flag(object, "deleted"),
    }))
}
