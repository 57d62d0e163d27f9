//! Commands of one moment, which share a request.
//!
//! A batch that waits for its turn takes on more, until it is full. What one command is answered is nobody
//! else's concern; what becomes of the request is everybody's.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::{Command, Redis, RedisError, Reply};

/// More wait for the next one.
const MAX_CALLS: usize = 64;
const MAX_BYTES: usize = 128 * 1024;

type Answer = Result<Vec<Reply>, RedisError>;

/// Where commands wait for their request: for each batch a task is on its way that takes the oldest.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<VecDeque<Batch>>);

#[derive(Debug, Default)]
struct Batch {
    /// A list of commands in JSON that lacks its end.
    body: Vec<u8>,
    calls: Vec<Call>,
}

/// How many commands somebody sent, and where they wait for the answers.
#[derive(Debug)]
struct Call {
    commands: usize,
    answer: oneshot::Sender<Answer>,
}

impl Queue {
    /// Answers whether a batch begins, for which a task is to be started.
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

    /// Adds what a call asks, which is a list in JSON too.
    fn add(&mut self, body: &[u8], call: Call) {
        let commands = &body[1..body.len() - 1];
        self.body.push(if self.body.is_empty() { b'[' } else { b',' });
        self.body.extend_from_slice(commands);
        self.calls.push(call);
    }

    /// The request's body.
    fn take_body(&mut self) -> Vec<u8> {
        self.body.push(b']');
        mem::take(&mut self.body)
    }

    /// Hands out what came back; whoever has left misses nothing.
    fn answer(self, replies: Answer) {
        let sent: usize = self.calls.iter().map(|call| call.commands).sum();
        let replies = replies.and_then(|replies| {
            let count = replies.len();
            let is_whole = count == sent;
            let odd = || RedisError::no_answer(format!("{count} replies to {sent} commands"));
            is_whole.then_some(replies).ok_or_else(odd)
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
    /// Sends these commands, in this order and with nothing of this process's in between, and awaits
    /// their replies.
    pub(super) async fn send(&self, commands: &[Command]) -> Answer {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let body = serde_json::to_vec(commands).map_err(RedisError::not_sent)?;
        let (answer, coming) = oneshot::channel();
        if self.0.queue.push(&body, Call { commands: commands.len(), answer }) {
            tokio::spawn(self.clone().send_oldest());
        }
        coming.await.unwrap_or_else(|gone| Err(RedisError::no_answer(gone)))
    }

    /// Lets everybody who is ready join, waits for a turn, and sends the batch that has waited longest.
    async fn send_oldest(self) {
        yield_now().await;
        let permit = self.permit().await;
        let Some(mut batch) = self.0.queue.pop() else { return };
        let replies = match permit {
            Ok(permit) => self.post(&self.0.pipeline, batch.take_body(), permit).await,
            Err(error) => Err(error),
        };
        batch.answer(replies);
    }
}
