//! Work that begins once the answer is on its way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs work after the answer, as the host allows it.
///
/// A host puts its own into each request's extensions; without one each piece of work is a task of its
/// own. Nothing that must happen may depend on it: a process can end at any time.
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
