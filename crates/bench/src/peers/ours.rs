//! Does the same work as the peers with Farebox's own code, in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::http::StatusCode;
use farebox::dev::Settings;
use futures_util::future::{BoxFuture, try_join_all};
use jiff::Timestamp;
use shared::adapters::postgres::LedgerNote;
use shared::app::App;
use shared::domain::{CatalogKey, PositiveCount, Rate, UserId};
use shared::{endpoints, http};
use tower::ServiceExt as _;

use super::node::Measured;
use crate::load;
use crate::machine::thread_nanoseconds;
use crate::webhooks::{Stream, Stripe};

/// The warm-up time, as in `peers/load.js`.
const WARM: Duration = Duration::from_millis(500);
const UNREACHED_LIMIT: Rate = Rate::per_minute(1_000_000);

type Call = Arc<dyn Fn(u64) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// Farebox's side of a comparison.
pub enum Ours {
    /// Calls per second of this process.
    Rate { call: Call, next: Arc<AtomicU64> },
    /// Checks per second of one thread's processor time.
    Limits(Settings),
}

impl Ours {
    pub fn webhooks(app: &Arc<App>, stripe: &Arc<Stripe>, bodies: Vec<String>) -> Self {
        let router: Router = http::mount(&endpoints::STRIPE_WEBHOOK, app);
        let (stripe, bodies) = (Arc::clone(stripe), Stream::new(bodies));
        Self::rate(move |_| {
            let (router, request) =
                (router.clone(), bodies.next().map(|body| stripe.request(body)));
            Box::pin(async move {
                let answer = router.oneshot(request.context("the events ran out")??).await?;
                ensure!(answer.status() == StatusCode::OK, "an event got {}", answer.status());
                Ok(())
            })
        })
    }

    pub fn spends(app: &Arc<App>, accounts: u32) -> Self {
        let app = Arc::clone(app);
        Self::rate(move |number| {
            let app = Arc::clone(&app);
            Box::pin(async move {
                let account = number.wrapping_mul(617) % u64::from(accounts);
                let user = parsed::<UserId>(&format!("account_{account}"))?;
                let unit = parsed::<CatalogKey>("ai_credit")?;
                let (one, now) = (PositiveCount::ONE, Timestamp::now());
                let note = LedgerNote { reason: None, metadata: None, actor_id: None };
                app.postgres.spend(&user, &unit, one, &note, None, now).await?;
                Ok(())
            })
        })
    }

    pub fn limits(settings: &Settings) -> Self {
        Self::Limits(settings.clone())
    }

    fn rate(
        call: impl Fn(u64) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync + 'static,
    ) -> Self {
        Self::Rate { call: Arc::new(call), next: Arc::default() }
    }

    /// Selects the peer's figure that this comparison uses.
    pub fn figure_of(&self, measured: Measured) -> f64 {
        match self {
            Self::Rate { .. } => measured.rate,
            Self::Limits(_) => measured.per_cpu_second,
        }
    }

    pub async fn measure(&self, concurrency: u32, length: Duration) -> anyhow::Result<f64> {
        match self {
            Self::Rate { call, next } => {
                rate(call, next, concurrency, WARM).await?;
                rate(call, next, concurrency, length).await
            }
            Self::Limits(settings) => {
                let settings = settings.clone();
                tokio::task::spawn_blocking(move || checks(&settings, concurrency, length)).await?
            }
        }
    }
}

async fn rate(
    call: &Call,
    next: &Arc<AtomicU64>,
    concurrency: u32,
    length: Duration,
) -> anyhow::Result<f64> {
    let began = Instant::now();
    let until = began + length;
    let callers = (0..concurrency).map(|_| {
        let (call, next) = (Arc::clone(call), Arc::clone(next));
        tokio::spawn(async move {
            let mut made = 0_u64;
            while Instant::now() < until {
                call(next.fetch_add(1, Ordering::Relaxed)).await?;
                made += 1;
            }
            anyhow::Ok(made)
        })
    });
    let mut made = 0;
    for caller in callers.collect::<Vec<_>>() {
        made += caller.await??;
    }
    Ok(made as f64 / began.elapsed().as_secs_f64())
}

/// Counts checks per second of this thread's processor time. The host of Redis runs in other
/// threads.
fn checks(settings: &Settings, concurrency: u32, length: Duration) -> anyhow::Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let app = load::app(settings)?;
        check(&app, concurrency, WARM).await?;
        let before = thread_nanoseconds()?;
        let made = check(&app, concurrency, length).await?;
        Ok(made as f64 * 1e9 / (thread_nanoseconds()? - before) as f64)
    })
}

async fn check(app: &App, concurrency: u32, length: Duration) -> anyhow::Result<u64> {
    let until = Instant::now() + length;
    let callers = (0..concurrency).map(|caller| async move {
        let mut made = 0_u64;
        while Instant::now() < until {
            let identifier = format!("user:{}", (made + u64::from(caller) * 50) % 1_000);
            let verdict = app.limiter.take("peers", &identifier, UNREACHED_LIMIT, 1, None).await;
            let verdict = verdict.map_err(|error| anyhow::anyhow!("{error:?}"))?;
            ensure!(verdict.allowed, "a call was refused");
            made += 1;
        }
        Ok(made)
    });
    Ok(try_join_all(callers).await?.into_iter().sum())
}

fn parsed<T: TryFrom<String, Error: std::fmt::Debug>>(text: &str) -> anyhow::Result<T> {
    T::try_from(text.to_owned()).map_err(|what| anyhow::anyhow!("{what:?}"))
}
