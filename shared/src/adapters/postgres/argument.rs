//! Rust values as parameters of SQL functions. The Rust type decides the SQL type.

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::types::{Json, ToSql, Type};

use super::{
    AppWebhookResult, ChangeRequest, DeliveryResult, FailedEvent, HistoryFilter, LedgerCursor,
    LedgerNote, NewEntry, Purchase, UsageEntry,
};
use crate::domain::{
    ApiCall, CatalogKey, EntryId, EventId, EventType, FeedbackComment, IdempotencyKey, Observation,
    PositiveCount, Reason, SubscriptionId, SubscriptionUpdate, UserId,
};

pub(super) type SqlValue<'a> = Box<dyn ToSql + Send + Sync + 'a>;

/// A value that an SQL function takes as one parameter or as several.
pub(super) trait Argument<'a> {
    const TYPES: &'static [Type];

    fn add_to(self, values: &mut Vec<SqlValue<'a>>);
}

/// A value that an SQL function takes as one parameter.
pub(super) trait Parameter {
    const TYPE: Type;
    type Sql: ToSql + Send + Sync;

    fn into_sql(self) -> Self::Sql;
}

impl<'a, T: Parameter<Sql: 'a>> Argument<'a> for T {
    const TYPES: &'static [Type] = &[T::TYPE];

    fn add_to(self, values: &mut Vec<SqlValue<'a>>) {
        values.push(Box::new(self.into_sql()));
    }
}

impl<T: Parameter> Parameter for Option<T> {
    const TYPE: Type = T::TYPE;
    type Sql = Option<T::Sql>;

    fn into_sql(self) -> Self::Sql {
        self.map(T::into_sql)
    }
}

macro_rules! native_types {
    ($($kind:ty => $sql:ident),+ $(,)?) => {
        $(impl Parameter for $kind {
            const TYPE: Type = Type::$sql;
            type Sql = Self;

            fn into_sql(self) -> Self {
                self
            }
        })+
    };
}

macro_rules! texts {
    ($($kind:ty),+ $(,)?) => {
        $(impl<'a> Parameter for &'a $kind {
            const TYPE: Type = Type::TEXT;
            type Sql = &'a str;

            fn into_sql(self) -> &'a str {
                self.as_str()
            }
        })+
    };
}

macro_rules! json_values {
    ($($kind:ty),+ $(,)?) => {
        $(impl<'a> Parameter for &'a $kind {
            const TYPE: Type = Type::JSONB;
            type Sql = Json<Self>;

            fn into_sql(self) -> Json<Self> {
                Json(self)
            }
        })+
    };
}

native_types! {
    bool => BOOL,
    i32 => INT4,
    i64 => INT8,
    Timestamp => TIMESTAMPTZ,
    &str => TEXT,
    &[&str] => TEXT_ARRAY,
    &Value => JSONB,
}

texts! {
    CatalogKey, EntryId, EventId, EventType, FeedbackComment, Reason, SubscriptionId, UserId,
}

json_values! {
    ChangeRequest, FailedEvent<'a>, HistoryFilter, LedgerCursor, LedgerNote, NewEntry<'a>, Purchase,
    [ApiCall], [AppWebhookResult], [DeliveryResult], [UsageEntry],
}

impl Parameter for PositiveCount {
    const TYPE: Type = Type::INT8;
    type Sql = i64;

    fn into_sql(self) -> i64 {
        self.get()
    }
}

impl Parameter for &Observation<'_> {
    const TYPE: Type = Type::JSONB;
    type Sql = Value;

    fn into_sql(self) -> Value {
        self.to_json()
    }
}

/// The full text comes last. SQL parses it only if the other values are not enough.
impl<'a> Argument<'a> for &'a SubscriptionUpdate<'a> {
    const TYPES: &'static [Type] = &[
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::INT4,
        Type::TEXT,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::TEXT,
    ];

    fn add_to(self, values: &mut Vec<SqlValue<'a>>) {
        self.event.id.add_to(values);
        self.event.kind.add_to(values);
        self.created.add_to(values);
        self.rank.add_to(values);
        self.subscription_id.add_to(values);
        self.digest.add_to(values);
        self.period_start.add_to(values);
        self.period_end.add_to(values);
        self.observation.as_str().add_to(values);
    }
}

/// The key, and the fingerprint of its request.
impl<'a> Argument<'a> for Option<&'a IdempotencyKey> {
    const TYPES: &'static [Type] = &[Type::TEXT, Type::TEXT];

    fn add_to(self, values: &mut Vec<SqlValue<'a>>) {
        self.map(IdempotencyKey::key).add_to(values);
        self.map(IdempotencyKey::fingerprint).add_to(values);
    }
}
