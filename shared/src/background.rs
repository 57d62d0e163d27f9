//! Work that runs after the response.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs work after the response, in the way that the host allows.
///
/// A host inserts its own instance into each request's extensions. The default spawns a Tokio task
/// for each piece of work. The process can end at any time, so no required work may depend on it.
#[derive(Clone)]
pub struct BackgroundTasks(Arc<dyn Fn(Work) + Send + Sync>);

impl BackgroundTasks {
    pub fn new(run: impl Fn(Work) + Send + Sync + 'static) -> Self {
        Self(Arc::new(run))
    }

    pub fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        (self.0)(Box::pin(work));
    }
}

impl Default for BackgroundTasks {
    fn default() -> Self {
        Self::new(|work| drop(tokio::spawn(work)))
    }
}

impl fmt::Debug for BackgroundTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackgroundTasks")
    }
}
