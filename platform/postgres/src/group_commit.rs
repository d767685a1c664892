//! Group commit: one task owns the writing connection, and one statement holds what gathered while the last one was
//! committed. A lone write is committed at once.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};
use tokio_postgres::Client;

use crate::{
    Change, Saved, Settings, StoreError, Table,
    connect::{Purpose, connect, within},
    doubt,
    error::Failure,
    locks::{self, Lock},
    statements::{SavedKeys, Statements},
    totals::{Kept, Totals},
};

/// Most calls in one transaction: bounds the latency of the first of them.
const MOST: usize = 1024;

/// Slots of a kept total, and so the most processes that write at the same time.
const SLOTS: i32 = 256;

/// While the server is away it is asked again so often; in between everybody is told at once.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(200);

/// A call that waits for its transaction.
pub(crate) struct Call {
    pub(crate) changes: Vec<Change>,
    pub(crate) reply: oneshot::Sender<Result<Vec<Saved>, StoreError>>,
}

impl Call {
    pub(crate) fn answer(self, answer: Result<Vec<Saved>, StoreError>) {
        // A caller that gave up has no use for it; what it asked for is committed all the same.
        let _ = self.reply.send(answer);
    }
}

/// The writing connection.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) statements: Statements,
    pub(crate) slot: Slot,
}

/// The slot of a writing session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    number: i32,
    /// The session that has it: its process on the server.
    pid: i32,
}

/// The task's state.
pub(crate) struct Writer {
    pub(crate) settings: Settings,
    pub(crate) table: &'static Table,
    pub(crate) waiting: mpsc::UnboundedReceiver<Call>,
    pub(crate) session: Option<Session>,
    pub(crate) totals: Arc<Totals>,
    /// Told after each commit that has added to the outbox.
    pub(crate) said: Arc<Notify>,
    pub(crate) counts: Arc<Counts>,
    /// When connecting has failed last, and why.
    pub(crate) away: Option<(Instant, StoreError)>,
}

/// How much was written.
#[derive(Default)]
pub(crate) struct Counts {
    commits: AtomicU64,
    writes: AtomicU64,
}

impl Counts {
    /// Transactions, and the calls that were answered with them.
    pub(crate) fn get(&self) -> (u64, u64) {
        (self.commits.load(Ordering::Relaxed), self.writes.load(Ordering::Relaxed))
    }
}

impl Writer {
    /// Writes until the last handle of the store is gone.
    pub(crate) async fn run(mut self) {
        let mut calls = Vec::new();
        while self.waiting.recv_many(&mut calls, MOST).await > 0 {
            let calls = std::mem::take(&mut calls);
            match self.be_connected().await {
                Ok(()) => self.write_in_rounds(calls).await,
                Err(away) => calls.into_iter().for_each(|call| call.answer(Err(away.clone()))),
            }
        }
    }

    /// There is a session, or a reason why there is none.
    async fn be_connected(&mut self) -> Result<(), StoreError> {
        if self.session.as_ref().is_some_and(|session| !session.client.is_closed()) {
            return Ok(());
        }
        self.session = None;
        let connecting = Session::begin(&self.settings, self.table, &self.totals, None);
        let connected = match &self.away {
            None => connecting.await,
            Some((at, away)) if at.elapsed() < BETWEEN_ATTEMPTS => return Err(away.clone()),
            // Known to be away: nobody else has to wait for another attempt.
            Some((_, away)) => doubt::meanwhile(&mut self.waiting, away, connecting).await,
        };
        match connected {
            Ok(session) => {
                (self.session, self.away) = (Some(session), None);
                Ok(())
            }
            Err(reason) => {
                self.away = Some((Instant::now(), reason.clone()));
                Err(reason)
            }
        }
    }

    /// A row that several want to write is written once in each round: each finds what the one before has left.
    async fn write_in_rounds(&mut self, mut calls: Vec<Call>) {
        while !calls.is_empty() {
            let mut taken = HashSet::new();
            let (now, later) = calls.into_iter().partition(|call: &Call| {
                let keys: Vec<_> = call.changes.iter().map(place).collect();
                let free = keys.iter().all(|key| !taken.contains(key));
                taken.extend(keys);
                free
            });
            self.write_together(now).await;
            calls = later;
        }
    }

    async fn write_together(&mut self, calls: Vec<Call>) {
        match self.commit(&calls).await {
            Ok(answers) => calls.into_iter().zip(answers).for_each(|(call, answer)| call.answer(Ok(answer))),
            // Somebody's row failed: everybody again, each alone, so that the error is his alone.
            Err(Failure::Statement(_)) if calls.len() > 1 => {
                for call in calls {
                    let alone = [call];
                    let outcome = self.commit(&alone).await;
                    let [call] = alone;
                    match outcome {
                        Ok(mut answers) => call.answer(Ok(answers.pop().unwrap_or_default())),
                        Err(failure @ (Failure::Connection(_) | Failure::Late(_))) => {
                            self.be_in_doubt(vec![call], failure).await;
                        }
                        Err(failure) => call.answer(Err(failure.into())),
                    }
                }
            }
            Err(failure @ (Failure::Connection(_) | Failure::Late(_))) => {
                self.be_in_doubt(calls, failure).await
            }
            Err(failure) => {
                calls.into_iter().for_each(|call| call.answer(Err(failure.clone().into())));
            }
        }
    }

    /// One transaction.
    async fn commit(&mut self, calls: &[Call]) -> Result<Vec<Vec<Saved>>, Failure> {
        let gone = || Failure::Refused("PostgreSQL has gone away".to_owned());
        let session = self.session.as_ref().ok_or_else(gone)?;
        let mut seen = HashSet::new();
        let mut new = Vec::new();
        let mut changed = Vec::new();
        let mut begun = Vec::with_capacity(calls.len());
        let mut counted = Counted::default();
        for change in calls.iter().flat_map(|call| &call.changes) {
            let may_begin = seen.insert(place(change))
                && change.below.is_none_or(|(name, most)| counted.on(name, self.totals.get(name)) < most)
                && change.begin.as_ref().is_none_or(|begin| begin());
            if may_begin {
                counted.add(&change.counts);
            }
            begun.push(may_begin);
            match change.expected {
                _ if !may_begin => {}
                None => new.push(change),
                Some(_) => changed.push(change),
            }
        }
        let saving =
            session.statements.save(&session.client, self.table, session.slot.number, (&new, &changed));
        let saved = within(self.settings.answer_within, saving).await?;
        if !(new.is_empty() && changed.is_empty()) {
            self.counts.commits.fetch_add(1, Ordering::Relaxed);
            self.counts.writes.fetch_add(calls.len() as u64, Ordering::Relaxed);
        }
        let is_saved =
            |change: &Change, begun: bool| begun && keys_of(&saved, change).contains(&change.row.key);
        let mut begun = begun.into_iter();
        let mut has_said = false;
        let answers = calls.iter().map(|call| {
            let answer = |change: &Change| {
                if !is_saved(change, begun.next().unwrap_or(false)) {
                    return Saved::Conflict;
                }
                change.counts.iter().for_each(|(name, n)| self.totals.add(name, *n));
                has_said |= !change.messages.is_empty();
                Saved::Yes
            };
            call.changes.iter().map(answer).collect()
        });
        let answers = answers.collect();
        if has_said {
            self.said.notify_one();
        }
        Ok(answers)
    }
}

/// By how much the changes so far move kept totals.
#[derive(Default)]
struct Counted(Vec<(&'static str, i64)>);

impl Counted {
    fn add(&mut self, counts: &[(&'static str, i64)]) {
        for (name, n) in counts {
            match self.0.iter_mut().find(|(found, _)| found == name) {
                Some((_, sum)) => *sum += n,
                None => self.0.push((name, *n)),
            }
        }
    }

    /// `total` after them.
    fn on(&self, name: &str, total: u64) -> u64 {
        let moved = self.0.iter().find(|(found, _)| *found == name).map_or(0, |(_, n)| *n);
        total.saturating_add_signed(moved)
    }
}

/// What a change is about. To begin a row and to change it are two statements.
fn place(change: &Change) -> (bool, i64) {
    (change.expected.is_none(), change.row.key)
}

fn keys_of<'s>(saved: &'s SavedKeys, change: &Change) -> &'s HashSet<i64> {
    match change.expected {
        None => &saved.inserted,
        Some(_) => &saved.updated,
    }
}

impl Session {
    /// Connects and takes a slot that is free, and not before the session that had `before` is over: a slot is free
    /// when its session is.
    pub(crate) async fn begin(
        settings: &Settings,
        table: &Table,
        totals: &Totals,
        before: Option<Slot>,
    ) -> Result<Self, StoreError> {
        let client = connect(settings, Purpose::Writing, None).await?;
        let beginning = async {
            let slot = take_slot(&client, before).await?;
            let kept = client.query("SELECT name, slot, n FROM totals", &[]).await?;
            let kept: Result<Vec<Kept>, _> = kept.iter().map(read_kept).collect();
            let statements = Statements::prepare(&client, table).await?;
            Ok::<_, tokio_postgres::Error>((slot, kept?, statements))
        };
        let (slot, kept, statements) = within(settings.answer_within, beginning).await?;
        let slot = slot.ok_or_else(|| StoreError::Away("the writing session is not free yet".to_owned()))?;
        totals.begin(slot.number, kept);
        Ok(Self { client, statements, slot })
    }
}

async fn take_slot(client: &Client, before: Option<Slot>) -> Result<Option<Slot>, tokio_postgres::Error> {
    let pid = client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
    if let Some(before) = before {
        let lock = Lock::Slot(before.number);
        if locks::try_for_session(client, lock).await? {
            return Ok(Some(Slot { pid, ..before }));
        }
        // Another process that has reconnected sooner proves as well that the old session is over: any slot does.
        if locks::holder(client, lock).await?.is_none_or(|holder| holder == before.pid) {
            return Ok(None);
        }
    }
    for number in 0..SLOTS {
        if locks::try_for_session(client, Lock::Slot(number)).await? {
            return Ok(Some(Slot { number, pid }));
        }
    }
    Ok(None)
}

pub(crate) fn read_kept(row: &tokio_postgres::Row) -> Result<Kept, tokio_postgres::Error> {
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}
