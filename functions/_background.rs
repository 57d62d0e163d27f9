//! Work after the answer. Lambda sends the answer when the handler returns, and then freezes the
//! function, so the handler waits for the work first, within a bound.

use std::time::Duration;

use shared::background::BackgroundTasks;
use shared::http::Access;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// The longest delay of a user's answer. Work that takes longer continues with the next request.
const USER_WAIT: Duration = Duration::from_millis(100);
/// Stripe and the scheduler do not mind the delay, so their functions nearly always finish the work:
/// an e-mail, a call of the identity provider.
const PATIENT_WAIT: Duration = Duration::from_secs(2);

pub(crate) struct Background {
    running: TaskTracker,
    wait: Duration,
}

impl Background {
    pub(crate) fn new(access: Access) -> Self {
        let running = TaskTracker::new();
        // A closed tracker still takes tasks. It lets `wait` end when none is left.
        running.close();
        let wait = match access {
            Access::Stripe | Access::Cron => PATIENT_WAIT,
            Access::Public | Access::User | Access::Service | Access::Admin => USER_WAIT,
        };
        Self { running, wait }
    }

    pub(crate) fn tasks(&self) -> BackgroundTasks {
        let running = self.running.clone();
        BackgroundTasks::new(move |work| drop(running.spawn(work)))
    }

    /// Waits for the work within the bound.
    pub(crate) async fn wait(&self) {
        if timeout(self.wait, self.running.wait()).await.is_err() {
            tracing::debug!("work after the answer continues with the next request");
        }
    }
}
