//! Batches commands that are sent at the same time into one request.
//!
//! A waiting batch accepts more commands until it is full. Each caller gets the replies to its own
//! commands. If the request fails, every caller in the batch gets the error. The last commands of a
//! request store finished calls in the API log (api_log.rs).

use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{SemaphorePermit, oneshot};
use tokio::task::yield_now;

use super::{Command, Redis, RedisError, Reply};

/// The limits of one batch. Further calls go into the next.
const MAX_CALLS: usize = 64;
const MAX_BYTES: usize = 128 * 1024;

type Answer = Result<Vec<Reply>, RedisError>;

/// The batches that wait to be sent. Each has a spawned task, which sends the oldest batch.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<VecDeque<Batch>>);

#[derive(Debug, Default)]
pub(super) struct Batch {
    /// A JSON array of commands without its closing bracket.
    body: Vec<u8>,
    calls: Vec<Call>,
}

/// One caller's number of commands, and the channel for its replies.
#[derive(Debug)]
struct Call {
    commands: usize,
    answer: oneshot::Sender<Answer>,
}

impl Queue {
    /// Adds a call. Returns true if it started a new batch, for which the caller must spawn a task.
    fn push(&self, body: &[u8], call: Call) -> bool {
        let mut batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = batches.back_mut().filter(|last| !last.is_full()) {
            open.add(body, call);
            return false;
        }
        let mut new = Batch::default();
        new.add(body, call);
        batches.push_back(new);
        true
    }

    fn pop(&self) -> Option<Batch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Batch {
    fn is_full(&self) -> bool {
        self.calls.len() >= MAX_CALLS || self.body.len() >= MAX_BYTES
    }

    /// Adds the commands of a call, whose body is a JSON array.
    fn add(&mut self, body: &[u8], call: Call) {
        self.add_commands(body);
        self.calls.push(call);
    }

    fn add_commands(&mut self, body: &[u8]) {
        let commands = &body[1..body.len() - 1];
        self.body.push(if self.body.is_empty() { b'[' } else { b',' });
        self.body.extend_from_slice(commands);
    }

    /// Takes the complete request body.
    fn take_body(&mut self) -> Vec<u8> {
        self.body.push(b']');
        mem::take(&mut self.body)
    }

    /// Sends each caller its replies. A caller that was dropped is skipped.
    fn answer(self, replies: Answer) {
        let sent: usize = self.calls.iter().map(|call| call.commands).sum();
        let replies = replies.and_then(|replies| {
            let count = replies.len();
            let is_complete = count == sent;
            let mismatch = || RedisError::no_answer(format!("{count} replies to {sent} commands"));
            is_complete.then_some(replies).ok_or_else(mismatch)
        });
        match replies {
            Ok(replies) => {
                let mut replies = replies.into_iter();
                for Call { commands, answer } in self.calls {
                    let _ = answer.send(Ok(replies.by_ref().take(commands).collect()));
                }
            }
            Err(error) => {
                for call in self.calls {
                    let _ = call.answer.send(Err(error.clone()));
                }
            }
        }
    }
}

impl Redis {
    /// Sends these commands in this order, without other commands of this process between them, and
    /// awaits their replies.
    pub(super) async fn send(&self, commands: &[Command]) -> Answer {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let body = serde_json::to_vec(commands).map_err(RedisError::not_sent)?;
        let (answer, replies) = oneshot::channel();
        if self.0.queue.push(&body, Call { commands: commands.len(), answer }) {
            tokio::spawn(self.clone().send_oldest());
        }
        replies.await.unwrap_or_else(|dropped| Err(RedisError::no_answer(dropped)))
    }

    /// Lets other ready tasks add commands, waits for a permit, and sends the oldest batch.
    async fn send_oldest(self) {
        yield_now().await;
        let permit = self.permit().await;
        if let Some(batch) = self.0.queue.pop() {
            // Each caller gets the error.
            let _ = self.send_batch(batch, permit).await;
        }
    }

    /// Sends a batch, and with it calls that wait for the API log.
    pub(super) async fn send_batch(
        &self,
        mut batch: Batch,
        permit: Result<SemaphorePermit<'_>, RedisError>,
    ) -> Result<(), RedisError> {
        let shipment = self.0.api_log.take();
        let replies = async {
            if !shipment.commands.is_empty() {
                let body = serde_json::to_vec(&shipment.commands).map_err(RedisError::not_sent)?;
                batch.add_commands(&body);
            }
            self.post(&self.0.pipeline, batch.take_body(), permit?).await
        };
        let replies = replies.await;
        let replies = self.0.api_log.finish(shipment, replies);
        let outcome = replies.as_ref().map(|_| ()).map_err(RedisError::clone);
        batch.answer(replies);
        outcome
    }
}
