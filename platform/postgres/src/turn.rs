//! What one process at a time does: whose turn it is.

use std::{future::pending, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

/// Until when it is surely ours; `None`: it is not.
pub(crate) type Until = Option<Instant>;

/// For how long the lock is surely ours after the server has heard of us. It keeps the lock of a process that has gone
/// silent for longer than that, so that nobody begins before the other has stopped.
pub(crate) const LEASE: Duration = Duration::from_secs(5);

/// The place in the queue for what one process at a time does: an advisory lock on the session that looks whether
/// the database is there. It is waited for, or had, as long as this exists.
pub struct Turn(watch::Receiver<Until>);

impl Turn {
    pub(crate) fn new(until: watch::Receiver<Until>) -> Self {
        Self(until)
    }

    /// Returns when it is this process's turn, however long that takes.
    pub async fn come(&self) {
        let mut until = self.0.clone();
        if until.wait_for(|until| until.is_some_and(|until| Instant::now() < until)).await.is_err() {
            // The store is gone, and with it every turn.
            pending().await
        }
    }

    /// Returns when it is not, or when that is not known any more. Whoever is at work has to stop then.
    pub async fn over(&self) {
        let mut until = self.0.clone();
        loop {
            let Some(end) = *until.borrow_and_update() else { return };
            match timeout_at(end, until.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_over_when_nobody_says_any_more_that_it_is_ours() {
        let (says, until) = watch::channel(None);
        let turn = Turn::new(until);
        turn.over().await;
        let begin = Instant::now();
        says.send_replace(Some(begin + LEASE));
        turn.come().await;
        let more = async {
            tokio::time::sleep(LEASE / 2).await;
            says.send_replace(Some(begin + 2 * LEASE));
        };
        tokio::join!(more, turn.over());
        assert_eq!(begin.elapsed(), 2 * LEASE);
        let come = timeout_at(Instant::now() + LEASE, turn.come()).await;
        assert!(come.is_err(), "what is over does not come by itself");
    }
}
