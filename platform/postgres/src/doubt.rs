//! What became of a commit whose answer never came.
//!
//! A connection that breaks in the middle of a commit leaves its callers in doubt, and some of them tell a person
//! that there is nothing, or that there is. So they wait until the server can be asked, if that is soon.

use std::{collections::HashSet, future::Future, pin::pin, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use crate::{
    Change, Keys, Saved, StoreError,
    connect::within,
    error::Failure,
    group_commit::{Call, Session, Slot, Writer},
};

/// How long callers are kept waiting for that. Later they are told that what they asked for may exist.
const SOON: Duration = Duration::from_secs(10);

/// Pause between two attempts to ask.
const PAUSE: Duration = Duration::from_millis(100);

impl Writer {
    /// Answers `calls` with what is in the database, and everybody who comes meanwhile at once.
    pub(crate) async fn be_in_doubt(&mut self, calls: Vec<Call>, failure: Failure) {
        let in_doubt = StoreError::InDoubt(failure.reason().to_owned());
        let away = StoreError::from(failure);
        let slot = self.session.take().map(|session| session.slot);
        // A changed row says nothing about who has changed it, nor does a new one whose key others may write as well:
        // it may be theirs, and what was to be said with ours would never be said. A key of our own nobody else uses.
        let keys_are_own = self.table.keys == Keys::Own;
        let is_told_by_its_key = |change: &&Change| change.expected.is_none() && keys_are_own;
        let new: Vec<_> = calls
            .iter()
            .flat_map(|call| &call.changes)
            .filter(is_told_by_its_key)
            .map(|change| change.row.key)
            .collect();
        self.away = Some((Instant::now(), away.clone()));
        let found = match slot {
            Some(slot) if !new.is_empty() => {
                let asking = ask(&self.settings, self.table, &self.totals, slot, &new);
                meanwhile(&mut self.waiting, &away, asking).await
            }
            _ => None,
        };
        let found = found.map(|(session, found)| {
            (self.session, self.away) = (Some(session), None);
            found
        });
        calls.into_iter().for_each(|call| {
            let is_known = found.is_some() && call.changes.iter().all(|change| is_told_by_its_key(&change));
            let otherwise = || if is_known { away.clone() } else { in_doubt.clone() };
            let answer = told(&call, found.as_ref()).ok_or_else(otherwise);
            call.answer(answer);
        });
        // Whoever publishes the outbox looks whether there is something.
        self.said.notify_one();
    }
}

/// Asks for new rows until somebody answers or it is too late. The answer is final: the slot of the broken session is
/// somebody's again, so nothing of it goes on.
async fn ask(
    settings: &crate::Settings,
    table: &crate::Table,
    totals: &crate::totals::Totals,
    slot: Slot,
    new: &[i64],
) -> Option<(Session, HashSet<i64>)> {
    let until = Instant::now() + SOON;
    while Instant::now() < until {
        if let Ok(session) = Session::begin(settings, table, totals, Some(slot)).await {
            let finding = session.statements.find(&session.client, new);
            if let Ok(found) = within(settings.answer_within, finding).await {
                return Some((session, found));
            }
        }
        sleep(PAUSE).await;
    }
    None
}

/// The answer of a call that only adds rows, where these are known. Only keys that nobody else uses are asked for.
fn told(call: &Call, found: Option<&HashSet<i64>>) -> Option<Vec<Saved>> {
    let found = found?;
    let all_are_there =
        call.changes.iter().all(|change| change.expected.is_none() && found.contains(&change.row.key));
    all_are_there.then(|| vec![Saved::Yes; call.changes.len()])
}

/// Does something that takes a while, and tells everybody who comes meanwhile that the store is away.
pub(crate) async fn meanwhile<T>(
    waiting: &mut mpsc::UnboundedReceiver<Call>,
    away: &StoreError,
    something: impl Future<Output = T>,
) -> T {
    let mut something = pin!(something);
    loop {
        tokio::select! {
            biased;
            done = &mut something => return done,
            Some(call) = waiting.recv() => call.answer(Err(away.clone())),
        }
    }
}
