//! The engine's thread: takes jobs one at a time, and writes the snapshot after changes.
//!
//! Deliberately absent: writing on another thread. A snapshot is small, and commands may wait.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use tokio::sync::oneshot;

use super::scripting::Scripting;
use super::snapshot::SnapshotFile;
use super::store::Store;
use crate::upstash::Command;
use crate::upstash::resp::Reply;

/// The delay from a change to the snapshot, which then includes further changes.
const SNAPSHOT_DELAY: Duration = Duration::from_millis(50);
const MAX_SCRIPT_TIME: Duration = Duration::from_secs(5);
const SNAPSHOT_RETRY: Duration = Duration::from_secs(1);

/// A request to the thread, and the channel for its reply.
pub enum Job {
    Pipeline(Vec<Command>, oneshot::Sender<Vec<Reply>>),
    Transaction(Vec<Command>, oneshot::Sender<Reply>),
    Flush(oneshot::Sender<anyhow::Result<()>>),
}

pub struct Worker {
    store: Rc<RefCell<Store>>,
    scripting: Scripting,
    snapshot: Option<SnapshotFile>,
    snapshot_due: Option<Instant>,
}

impl Worker {
    pub fn new(store: Store, snapshot: Option<SnapshotFile>) -> anyhow::Result<Worker> {
        let store = Rc::new(RefCell::new(store));
        let scripting = Scripting::new(Rc::clone(&store), MAX_SCRIPT_TIME)
            .map_err(|error| anyhow::anyhow!("{error}"))
            .context("cannot start the Lua interpreter")?;
        Ok(Worker { store, scripting, snapshot, snapshot_due: None })
    }

    /// Runs jobs until every sender is dropped.
    pub fn run(mut self, queue: &Receiver<Job>) {
        loop {
            let wait = match self.snapshot_due {
                Some(due) => due.saturating_duration_since(Instant::now()),
                None => Duration::MAX,
            };
            match queue.recv_timeout(wait) {
                Ok(job) => self.work(job),
                Err(RecvTimeoutError::Timeout) => self.snapshot_or_retry(),
                Err(RecvTimeoutError::Disconnected) => return self.snapshot_or_retry(),
            }
            // A steady stream of jobs must not delay the snapshot forever.
            if self.snapshot_due.is_some_and(|due| due <= Instant::now()) {
                self.snapshot_or_retry();
            }
        }
    }

    /// Runs a job and sends the reply, unless the caller no longer waits for it.
    fn work(&mut self, job: Job) {
        let now_us = now_us();
        match job {
            Job::Pipeline(commands, answer) => {
                let run = |command: &Command| self.scripting.run(command, now_us);
                let _ = answer.send(commands.iter().map(run).collect());
            }
            Job::Transaction(commands, answer) => {
                let _ = answer.send(self.transaction(&commands, now_us));
            }
            Job::Flush(answer) => {
                let _ = answer.send(self.write_snapshot());
            }
        }
        if self.store.borrow().changed && self.snapshot_due.is_none() {
            self.snapshot_due = Some(Instant::now() + SNAPSHOT_DELAY);
        }
    }

    /// As in Redis, an invalid command stops all others; a command that fails while it runs stops
    /// none.
    fn transaction(&mut self, commands: &[Command], now_us: i64) -> Reply {
        if commands.iter().any(|command| self.scripting.check(command).is_err()) {
            return Reply::aborted();
        }
        let run = |command: &Command| self.scripting.run(command, now_us);
        Reply::Array(commands.iter().map(run).collect())
    }

    fn snapshot_or_retry(&mut self) {
        if let Err(error) = self.write_snapshot() {
            tracing::warn!(error = format!("{error:#}"), "the Redis snapshot was not written");
            self.snapshot_due = Some(Instant::now() + SNAPSHOT_RETRY);
        }
    }

    fn write_snapshot(&mut self) -> anyhow::Result<()> {
        let mut store = self.store.borrow_mut();
        if let Some(file) = &self.snapshot
            && store.changed
        {
            store.drop_expired(now_us() / 1000);
            file.save(&store)?;
        }
        store.changed = false;
        self.snapshot_due = None;
        Ok(())
    }
}

/// The engine's only clock. The modules below take the time as an argument.
fn now_us() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}
