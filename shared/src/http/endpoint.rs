use std::sync::Arc;

use axum::routing::MethodRouter;
use serde_json::Value;

use crate::app::App;
use crate::domain::{Permission, Rate};

/// The handlers of one endpoint. A function pointer, so that a deployed function links only its own
/// handlers.
pub type Routes = fn() -> MethodRouter<Arc<App>>;

/// Computes the maximum number of bytes that a call adds to Postgres and Redis.
///
/// The arguments are the body, and whether the call has an idempotency key: with a key, its
/// response is stored too.
pub type StoredBytes = fn(&Value, bool) -> usize;

/// The callers that an endpoint admits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Anyone, without a token.
    Public,
    /// A user for themselves or for the organisation of their token, or a trusted server for the
    /// owner it names.
    User,
    /// A trusted server, or an admin.
    Service,
    Admin,
    /// The platform's scheduler, with the cron secret.
    Cron,
    /// Stripe, whose signature over the body the handler checks.
    Stripe,
}

/// When a job runs, in UTC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Schedule {
    EveryMinute,
    Daily { hour: u8, minute: u8 },
}

/// The methods that endpoints use. axum's own type cannot be part of a constant table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    Get,
    Post,
    Patch,
    Delete,
}

/// A row of the table: one path, one policy, one file per host.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    pub name: &'static str,
    pub path: &'static str,
    pub methods: &'static [Method],
    pub access: Access,
    /// The rate limit of each caller.
    pub rate: Option<Rate>,
    /// The endpoint changes nothing, so the limiter may run concurrently with the handler.
    pub reads: bool,
    /// The bytes that a call stores, which count against the caller's storage limit.
    pub stores: Option<StoredBytes>,
    /// The bytes that a call by an organisation's member stores in addition, given its body.
    pub stores_for_members: Option<fn(&Value) -> usize>,
    /// The endpoint is about the user alone, never about an organisation.
    pub is_personal: bool,
    /// A call that changes something needs the permission to buy.
    pub buys: bool,
    /// The maximum length of the body in bytes.
    pub body_limit: usize,
    /// When the platform calls it.
    pub schedule: Option<Schedule>,
    /// Vercel's regions of its function: those next to the database. On Lambda, all functions are in
    /// the region of the stack.
    pub regions: &'static [&'static str],
    /// The memory of its function on Lambda in MB, which decides its share of a processor, too.
    pub memory_mb: u32,
    /// The seconds that a call may take.
    pub max_seconds: u32,
    pub routes: Routes,
}

impl Schedule {
    /// The cron expression of five fields.
    pub fn cron(self) -> String {
        match self {
            Self::EveryMinute => "* * * * *".to_owned(),
            Self::Daily { hour, minute } => format!("{minute} {hour} * * *"),
        }
    }
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl Endpoint {
    /// Enough for any JSON a route takes, small enough to hold many at once.
    const BODY_LIMIT: usize = 16 * 1024;

    /// US East, which is AWS's `us-east-1`.
    const REGIONS: &'static [&'static str] = &["iad1"];

    /// A function uses under 16 MB. With more memory, Lambda starts and encrypts faster.
    const MEMORY_MB: u32 = 512;

    /// An HTTP API of AWS waits 30 seconds for a function.
    const MAX_SECONDS: u32 = 30;

    pub const fn new(
        name: &'static str,
        path: &'static str,
        methods: &'static [Method],
        access: Access,
        routes: Routes,
    ) -> Self {
        Self {
            name,
            path,
            methods,
            access,
            rate: None,
            reads: false,
            stores: None,
            stores_for_members: None,
            is_personal: false,
            buys: false,
            body_limit: Self::BODY_LIMIT,
            schedule: None,
            regions: Self::REGIONS,
            memory_mb: Self::MEMORY_MB,
            max_seconds: Self::MAX_SECONDS,
            routes,
        }
    }

    pub const fn limited(self, rate: Rate) -> Self {
        Self { rate: Some(rate), ..self }
    }

    pub const fn reads(self) -> Self {
        Self { reads: true, ..self }
    }

    pub const fn stores(self, bytes: StoredBytes) -> Self {
        Self { stores: Some(bytes), ..self }
    }

    pub const fn stores_for_members(self, bytes: fn(&Value) -> usize) -> Self {
        Self { stores_for_members: Some(bytes), ..self }
    }

    pub const fn personal(self) -> Self {
        Self { is_personal: true, ..self }
    }

    pub const fn buys(self) -> Self {
        Self { buys: true, ..self }
    }

    pub const fn body_limit(self, bytes: usize) -> Self {
        Self { body_limit: bytes, ..self }
    }

    pub const fn scheduled(self, schedule: Schedule) -> Self {
        Self { schedule: Some(schedule), ..self }
    }

    pub const fn max_seconds(self, seconds: u32) -> Self {
        Self { max_seconds: seconds, ..self }
    }

    /// Returns the permission that a member of an organisation needs for a call; none on a route
    /// that is personal, or for trusted callers only: they name the account.
    pub fn permission(&self, method: &axum::http::Method) -> Option<Permission> {
        if self.is_personal || matches!(self.access, Access::Service | Access::Admin) {
            None
        } else if self.reads || method.is_safe() {
            Some(Permission::Read)
        } else if self.buys || *method == axum::http::Method::DELETE {
            Some(Permission::Buy)
        } else {
            Some(Permission::Spend)
        }
    }

    /// Returns the path of the endpoint's file in `api/` and `functions/`, without its extension.
    pub fn file(&self) -> &'static str {
        self.path.trim_start_matches("/api/")
    }
}
