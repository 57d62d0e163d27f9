//! A small Redis in this process, for machines without one. It has the commands and scripts that
//! Farebox uses; it refuses any other command by name.
//!
//! One thread owns all data and the Lua interpreter, and works through a queue. So every command,
//! script and transaction is atomic, and no data needs a lock. Deliberately absent: lists, sets,
//! streams, publishing, blocking commands, eviction, and a snapshot file that several
//! processes share.

mod cjson;
mod commands;
mod convert;
mod failure;
mod lua;
mod native;
mod number;
mod scripting;
mod snapshot;
mod sorted_set;
mod store;
#[cfg(test)]
mod tests;
mod worker;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

use anyhow::Context;
use tokio::sync::oneshot;

use super::Command;
use super::resp::Reply;
use snapshot::SnapshotFile;
use store::Store;
use worker::{Job, Worker};

/// The number of requests that may wait for the thread. The engine refuses further ones.
const QUEUE_LENGTH: usize = 1024;
/// Enough for scripts and for JSON nested as deeply as Redis allows.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// A handle on the engine. Dropping the last one writes the snapshot file.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    /// `None` only during the drop: the thread stops when the last sender is dropped.
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Engine")
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the in-process Redis engine panicked");
        }
    }
}

impl Engine {
    pub(super) fn open(snapshot: Option<PathBuf>) -> anyhow::Result<Engine> {
        let snapshot = snapshot.map(SnapshotFile::new);
        let store = match &snapshot {
            Some(file) => file.load()?,
            None => Store::default(),
        };
        let (jobs, queue) = mpsc::sync_channel(QUEUE_LENGTH);
        let (report, started) = mpsc::channel();
        let run = move || match Worker::new(store, snapshot) {
            Ok(worker) => {
                let _ = report.send(Ok(()));
                worker.run(&queue);
            }
            Err(error) => {
                let _ = report.send(Err(error));
            }
        };
        let builder =
            thread::Builder::new().name("redis-engine".to_owned()).stack_size(STACK_BYTES);
        let thread = builder.spawn(run)?;
        started.recv().context("the in-process Redis engine did not start")??;
        Ok(Engine { shared: Arc::new(Shared { jobs: Some(jobs), thread: Some(thread) }) })
    }

    pub(super) async fn flush(&self) -> anyhow::Result<()> {
        self.run_job(Job::Flush).await?
    }

    pub(super) async fn pipeline(&self, commands: Vec<Command>) -> anyhow::Result<Vec<Reply>> {
        self.run_job(|answer| Job::Pipeline(commands, answer)).await
    }

    pub(super) async fn transaction(&self, commands: Vec<Command>) -> anyhow::Result<Reply> {
        self.run_job(|answer| Job::Transaction(commands, answer)).await
    }

    async fn run_job<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> anyhow::Result<T> {
        let (answer, answered) = oneshot::channel();
        let jobs = self.shared.jobs.as_ref().context("the in-process Redis engine has stopped")?;
        jobs.try_send(job(answer)).context("the in-process Redis engine takes no more requests")?;
        answered.await.context("the in-process Redis engine has stopped")
    }
}
