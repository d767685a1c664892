//! The reading side of the outbox, which one process at a time has.
//!
//! **Places and commits.** A place is given when a row is written, and is seen when it is committed: with several
//! writers a smaller place may be seen after a larger one. So nothing here goes "up to a place" in the database.
//! Every row that is there has not been published; the oldest are read, and exactly those that were published are
//! deleted. Rows of one key are in their sequence all the same: who changes a row has seen the change before it,
//! which was committed by then.
//!
//! The relay counts in numbers that it gets with the rows: they are counted here, as rows are read.
//!
//! **One at a time.** The session that reads has the lock of the outbox. The server gives the lock to another
//! process when the session ends, however that happens.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use platform_event_bus::Headers;
use platform_outbox::{Outbox, OutboxError, OutboxMessage, OutboxRow};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_postgres::{Client, Row, Statement};

use crate::{
    Settings, StoreError,
    connect::{Purpose, connect, within},
    error::Failure,
    locks::{self, Lock},
    pool::Readers,
    standing::Standing,
};

/// Who has the outbox looks at least so often. Commits of this process wake it, and those of others, if they can.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who does not have it tries so often to get it.
const TRY_EVERY: Duration = Duration::from_millis(500);

/// Who does not have it tells the one who has, at most so often.
const TELL_EVERY: Duration = Duration::from_millis(15);

/// Who has it says something at least so often, so that the server takes the lock only from a process that is frozen:
/// publishing may take longer than the server waits for a word.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(2);

/// Pause after a failure.
const PAUSE: Duration = Duration::from_millis(200);

/// The channel on which processes tell each other that they have committed.
const CHANNEL: &str = "outbox";

/// The outbox of a [`Postgres`](crate::Postgres) store.
pub struct PostgresOutbox {
    settings: Settings,
    readers: Readers,
    /// What this process has committed.
    said: Arc<Notify>,
    standing: Arc<Standing>,
    session: tokio::sync::Mutex<Option<Arc<Session>>>,
    read: Mutex<Read>,
}

/// A connection that listens, and may have the lock.
struct Session {
    client: Client,
    read: Statement,
    delete: Statement,
    /// What others have committed; and the end of the connection.
    news: Arc<Notify>,
    has_the_lock: AtomicBool,
}

/// What was read and is not deleted: number and place, in their sequence.
struct Read {
    rows: VecDeque<(i64, i64)>,
    last_number: i64,
    /// There may be rows that nobody has looked for.
    look_at_once: bool,
}

impl PostgresOutbox {
    pub(crate) fn new(
        settings: Settings,
        readers: Readers,
        said: Arc<Notify>,
        standing: Arc<Standing>,
    ) -> Self {
        let read = Read { rows: VecDeque::new(), last_number: 0, look_at_once: true };
        let session = tokio::sync::Mutex::default();
        Self { settings, readers, said, standing, session, read: Mutex::new(read) }
    }

    /// The session, begun anew where it has ended. It has the lock if nobody else does.
    async fn session(&self) -> Result<Arc<Session>, StoreError> {
        self.standing.check()?;
        let mut current = self.session.lock().await;
        let session = match current.as_ref().filter(|session| !session.client.is_closed()) {
            Some(session) => Arc::clone(session),
            None => {
                *current = None;
                // With the session the lock is gone: what was read under it is somebody else's now.
                self.read.lock().rows.clear();
                Arc::clone(current.insert(Session::begin(&self.settings).await?))
            }
        };
        if !session.has_the_lock() {
            let trying = locks::try_for_session(&session.client, Lock::Outbox);
            if within(self.settings.answer_within, trying).await? {
                session.has_the_lock.store(true, Ordering::Relaxed);
                // Whoever had it before may have left anything.
                self.read.lock().look_at_once = true;
            }
        }
        Ok(session)
    }

    /// The session that has the lock.
    async fn locked(&self) -> Result<Arc<Session>, StoreError> {
        let session = self.session().await?;
        let others = || StoreError::Away("another process publishes this outbox".to_owned());
        session.has_the_lock().then_some(session).ok_or_else(others)
    }

    /// Where the rows up to the number `seq` are.
    fn places_through(&self, seq: i64) -> Vec<i64> {
        let read = self.read.lock();
        read.rows.iter().take_while(|(number, _)| *number <= seq).map(|(_, place)| *place).collect()
    }

    /// A session that may be broken is not used again.
    async fn drop_after(&self, failure: &Failure) {
        if matches!(failure, Failure::Connection(_) | Failure::Late(_)) {
            *self.session.lock().await = None;
        }
    }

    /// Whether there is something to look for already.
    fn is_behind(&self, number: i64) -> bool {
        let mut read = self.read.lock();
        std::mem::take(&mut read.look_at_once) || read.rows.back().is_some_and(|(last, _)| *last > number)
    }

    /// Waits for the lock, and meanwhile tells who has it what this process commits.
    async fn stand_by(&self, session: &Session) {
        if timeout(TRY_EVERY, self.said.notified()).await.is_ok() {
            let tell = session.client.batch_execute("NOTIFY outbox");
            if let Err(failure) = within(self.settings.answer_within, tell).await {
                self.drop_after(&failure).await;
            }
            sleep(TELL_EVERY).await;
        }
    }
}

#[async_trait]
impl Outbox for PostgresOutbox {
    async fn wait_beyond(&self, seq: i64) -> i64 {
        loop {
            match self.session().await {
                Ok(session) if session.has_the_lock() => {
                    if self.is_behind(seq) {
                        return seq;
                    }
                    tokio::select! {
                        () = self.said.notified() => {}
                        () = session.news.notified() => {}
                        () = sleep(LOOK_EVERY) => {}
                    }
                    if !session.client.is_closed() {
                        return seq;
                    }
                }
                Ok(session) => self.stand_by(&session).await,
                Err(reason) => {
                    tracing::debug!(%reason, "the outbox waits for its database");
                    sleep(PAUSE).await;
                    self.standing.ready().await;
                }
            }
        }
    }

    async fn read(&self, seq: i64, max: usize) -> Result<Vec<OutboxRow>, OutboxError> {
        let session = self.locked().await?;
        // What was published and could not be deleted.
        self.delete_through(seq).await?;
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let reading = async { session.client.query(&session.read, &[&limit]).await };
        let rows = match within(self.settings.answer_within, reading).await {
            Ok(rows) => rows,
            Err(failure) => {
                self.read.lock().look_at_once = true;
                self.drop_after(&failure).await;
                return Err(StoreError::from(failure).into());
            }
        };
        let mut read = self.read.lock();
        // What was read before and not published is read again, and is given other numbers.
        read.rows.clear();
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            read.last_number = (read.last_number + 1).max(seq + 1);
            let number = read.last_number;
            let (place, message) = read_message(row).map_err(StoreError::from)?;
            read.rows.push_back((number, place));
            found.push(OutboxRow { seq: number, message });
        }
        Ok(found)
    }

    async fn delete_through(&self, seq: i64) -> Result<(), OutboxError> {
        if self.places_through(seq).is_empty() {
            return Ok(());
        }
        let session = self.session().await?;
        // A session that was begun anew has forgotten them: they are published again, by whoever has the lock.
        let places = self.places_through(seq);
        if places.is_empty() {
            return Ok(());
        }
        let deleting = async { session.client.execute(&session.delete, &[&places]).await };
        if let Err(failure) = within(self.settings.answer_within, deleting).await {
            self.read.lock().look_at_once = true;
            self.drop_after(&failure).await;
            return Err(StoreError::from(failure).into());
        }
        self.read.lock().rows.retain(|(number, _)| *number > seq);
        Ok(())
    }

    async fn keys(&self) -> Result<Vec<Bytes>, OutboxError> {
        let rows = self.readers.query("SELECT DISTINCT key FROM outbox", false, &[]).await?;
        let keys: Result<_, _> = rows.iter().map(|row| row.try_get(0).map(Bytes::copy_from_slice)).collect();
        Ok(keys.map_err(StoreError::from)?)
    }

    async fn backlog(&self) -> Result<u64, OutboxError> {
        let rows = self.readers.query("SELECT count(*) FROM outbox", true, &[]).await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0)).map_err(StoreError::from)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn oldest(&self) -> Result<Option<Duration>, OutboxError> {
        // Both by the server's clock.
        let sql = "SELECT extract(epoch FROM clock_timestamp() - since)::float8 FROM outbox
                   ORDER BY place LIMIT 1";
        let rows = self.readers.query(sql, true, &[]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let seconds: f64 = row.try_get(0).map_err(StoreError::from)?;
        Ok(Some(Duration::try_from_secs_f64(seconds).unwrap_or_default()))
    }
}

impl Session {
    async fn begin(settings: &Settings) -> Result<Arc<Self>, StoreError> {
        let news = Arc::new(Notify::new());
        let client = connect(settings, Purpose::Relaying, Some(Arc::clone(&news))).await?;
        let beginning = async {
            client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
            let sql = "SELECT place, key, headers, value FROM outbox ORDER BY place LIMIT $1";
            let read = client.prepare(sql).await?;
            let delete = client.prepare("DELETE FROM outbox WHERE place = ANY($1)").await?;
            Ok::<_, tokio_postgres::Error>((read, delete))
        };
        let (read, delete) = within(settings.answer_within, beginning).await?;
        let session = Arc::new(Self { client, read, delete, news, has_the_lock: AtomicBool::new(false) });
        tokio::spawn(Self::give_signs_of_life(Arc::downgrade(&session)));
        Ok(session)
    }

    /// For as long as anybody has the session.
    async fn give_signs_of_life(session: Weak<Self>) {
        loop {
            sleep(SIGN_OF_LIFE_EVERY).await;
            let Some(session) = session.upgrade() else { return };
            if session.client.batch_execute("").await.is_err() {
                return;
            }
        }
    }

    fn has_the_lock(&self) -> bool {
        self.has_the_lock.load(Ordering::Relaxed)
    }
}

fn read_message(row: &Row) -> Result<(i64, OutboxMessage), tokio_postgres::Error> {
    let bytes = |column| Ok::<_, tokio_postgres::Error>(Bytes::copy_from_slice(row.try_get(column)?));
    let headers = Headers::from_encoded(bytes(2)?);
    Ok((row.try_get(0)?, OutboxMessage { key: bytes(1)?, headers, value: bytes(3)? }))
}

impl From<StoreError> for OutboxError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}
