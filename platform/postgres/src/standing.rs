//! How the database is, as everybody here knows it.

use tokio::sync::watch;

use crate::{OpenError, StoreError};

/// How a database is, as far as it is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Ready,
    /// It does not, and is asked again soon. In one sentence without secrets.
    Away(String),
    /// It cannot be used as things are: a wrong password, a database that is not there, a schema newer than this
    /// program. It is asked again every few seconds, because somebody may put it right. In one sentence without
    /// secrets.
    Wrong(String),
}

/// The [`State`], written by one task and read by all.
pub(crate) struct Standing {
    database: String,
    state: watch::Sender<State>,
}

/// Before the first answer.
const NOT_ASKED: &str = "the database was not reached yet";

impl Standing {
    pub(crate) fn new(database: String) -> Self {
        Self { database, state: watch::Sender::new(State::Away(NOT_ASKED.to_owned())) }
    }

    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub(crate) fn is_ready(&self) -> bool {
        *self.state.borrow() == State::Ready
    }

    /// Nothing to say while the database is there, else why not.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match &*self.state.borrow() {
            State::Ready => Ok(()),
            State::Away(reason) | State::Wrong(reason) => Err(StoreError::Away(reason.clone())),
        }
    }

    /// Returns when the database is there.
    pub(crate) async fn ready(&self) {
        let mut state = self.state.subscribe();
        // The sender is in this very value.
        let _ = state.wait_for(|state| *state == State::Ready).await;
    }

    /// Returns when the database was asked.
    pub(crate) async fn first_look(&self) {
        let mut state = self.state.subscribe();
        let _ = state.wait_for(|state| !is_not_asked(state)).await;
    }

    pub(crate) fn is_there(&self) {
        self.become_known(State::Ready);
    }

    pub(crate) fn is_not_there(&self, why: &OpenError) {
        let reason = why.to_string();
        self.become_known(if why.passes() { State::Away(reason) } else { State::Wrong(reason) });
    }

    /// A line for each turn, and not for each attempt.
    fn become_known(&self, state: State) {
        self.state.send_if_modified(|known| {
            if *known == state {
                return false;
            }
            let database = &self.database;
            let first = is_not_asked(known);
            match (&*known, &state) {
                (_, State::Ready) => tracing::info!(database, "the database is there"),
                (_, State::Wrong(reason)) => {
                    tracing::error!(
                        database,
                        reason,
                        "the database cannot be used until somebody changes that"
                    );
                }
                (State::Away(_), State::Away(_)) if !first => {}
                (_, State::Away(reason)) => tracing::warn!(database, reason, "the database is away"),
            }
            *known = state;
            true
        });
    }
}

fn is_not_asked(state: &State) -> bool {
    matches!(state, State::Away(reason) if reason == NOT_ASKED)
}
