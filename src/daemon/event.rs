//! What comes to the engine, and the handle by which it comes.

use super::operate::{Order, Spoken};
use crate::control::Answer;
use crate::executor::Finished;
use crate::report::{ProgressReport, Subject, WaitingReport};
use std::collections::HashMap;
use tokio::sync::{mpsc, oneshot};

/// What comes in.
pub(super) enum Event {
    /// A plan has all its sheets and is to be run.
    Accepted(i64),
    /// A run has ended.
    Finished(Finished),
    /// Something was committed; these plans have changed.
    Recorded(Vec<i64>),
    /// The store takes nothing more.
    StoreFailed(String),
    /// A run could not be given a thread.
    NoThread(String),
    /// An operator spoke.
    Order(Box<Spoken>),
    /// Somebody wants to see what only the engine knows.
    View(i64, oneshot::Sender<View>),
    /// A signal.
    Signal(Signal),
    /// The inbox is to be looked at.
    Scan,
}

/// Signals that the daemon answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// End: the first lets statements end, the second cancels them.
    Terminate,
    /// Read the config anew.
    Reload,
    /// Look into the inbox now.
    Scan,
    /// Write the state to the log.
    Dump,
}

/// What only the engine knows of a plan.
#[derive(Debug, Default)]
pub(super) struct View {
    /// By task.
    pub waiting: HashMap<i64, WaitingReport>,
    /// By task.
    pub progress: HashMap<i64, ProgressReport>,
}

/// Speaks to the engine from anywhere.
#[derive(Clone)]
pub(super) struct EngineHandle {
    events: mpsc::UnboundedSender<Event>,
}

impl EngineHandle {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (events, receiver) = mpsc::unbounded_channel();
        (Self { events }, receiver)
    }

    /// Passes an event on. After the engine's end nobody listens, and nothing is lost: what matters is on the disk.
    pub(super) fn send(&self, event: Event) {
        let _ = self.events.send(event);
    }

    pub(super) fn scan(&self) {
        self.send(Event::Scan);
    }

    /// Gives an order and waits until it is recorded.
    pub(super) async fn order(&self, subject: Subject, order: Order, who: String, reason: String) -> Answer {
        let (answer, receiver) = oneshot::channel();
        self.send(Event::Order(Box::new(Spoken { subject, order, who, reason, answer })));
        receiver.await.unwrap_or_else(|_| Answer::Refused {
            why: "the daemon is ending; nothing was changed".to_owned(),
            usage: false,
        })
    }

    /// What only the engine knows of a plan.
    pub(super) async fn view(&self, plan: i64) -> View {
        let (answer, receiver) = oneshot::channel();
        self.send(Event::View(plan, answer));
        receiver.await.unwrap_or_default()
    }
}
