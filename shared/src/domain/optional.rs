//! Optional fields of requests.

use serde::{Deserialize, Deserializer};

/// Deserializes an optional field. It may be absent, but not null.
///
/// JavaScript writes null for NaN and for an invalid date. If null meant "absent", a failed
/// calculation would count as 1, or make credits that never expire.
pub fn if_given<'de, T, D>(field: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(field).map(Some)
}
