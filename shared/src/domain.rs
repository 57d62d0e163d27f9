//! The business rules, as types and pure functions without I/O or a clock.
//!
//! A value of a type in this module is always valid.

mod amount;
mod api_call;
pub mod app_event;
pub mod catalog;
mod catalog_key;
mod checkout_terms;
mod email;
pub mod entitlement;
mod entitlements;
pub mod error;
pub mod event;
pub mod facts;
pub mod hash;
mod history;
mod idempotency_key;
mod invoice_preview;
pub mod jwk;
mod metadata;
mod money;
mod mood_score;
pub mod object;
mod observation;
mod optional;
mod origins;
mod permission;
pub mod plan_comparison;
mod preview_id;
mod priority;
mod quantity;
mod rate;
pub mod rate_bucket;
mod refusal;
mod return_url;
mod snapshot;
mod stripe_page;
mod subscription;
mod suggestion;
mod text;
mod unique_fields;
mod user_id;
pub mod vocabulary;

pub use amount::{PositiveCount, SignedCount};
pub use api_call::{ApiCall, SampleRate};
pub use catalog::BillingInterval;
pub use catalog_key::{CatalogKey, Currency};
pub use checkout_terms::CheckoutTerms;
pub use email::Email;
pub use entitlement::Entitlement;
pub use entitlements::Entitlements;
pub use error::{Error, ErrorCode, Result};
pub use history::{EntryData, EntryId, EntryKind, Rating, Score, Tags, entry_bytes};
pub use idempotency_key::IdempotencyKey;
pub use invoice_preview::{InvoicePreview, InvoicePreviewLine};
pub use metadata::{Metadata, jsonb_bytes, row_bytes};
pub use money::money;
pub use mood_score::MoodScore;
pub use observation::{EventName, Notices, Observation, SubscriptionUpdate};
pub use optional::if_given;
pub use origins::{Origins, is_local};
pub use permission::Permission;
pub use preview_id::PreviewId;
pub use priority::CreditPriority;
pub use quantity::Quantity;
pub use rate::Rate;
pub use refusal::{InvalidReason, Refusal};
pub use return_url::ReturnUrl;
pub use snapshot::Snapshot;
pub use stripe_page::stripe_page;
pub use subscription::Subscription;
pub use suggestion::{nearest, no_such};
pub use text::{
    ChatContent, ChatSummary, EventId, EventType, FeedbackComment, HistoryResult, HistoryTitle,
    InputReference, PlanName, RateLimitIdentifier, Reason, SearchText, SubscriptionId, Tag,
};
pub use unique_fields::UniqueFields;
pub use user_id::UserId;
