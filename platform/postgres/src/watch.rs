//! The one who looks whether the database is there: opens it as soon as it can be opened, says so to everybody, keeps
//! what is known of the other processes' totals, and holds the lock of what one process at a time does.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::{Instant, sleep, timeout},
};
use tokio_postgres::Client;

use crate::{
    Migration, OpenError, Settings,
    connect::{Purpose, connect, within},
    error::{Failure, Unreached},
    group_commit::{Call, read_kept},
    locks::{self, Lock},
    schema,
    standing::Standing,
    totals::Totals,
    turn::{LEASE, Until},
};

/// How old what is known of the database and of other processes may be.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Pause after an attempt that failed, which doubles up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Pause after an attempt that failed for a reason that does not pass by itself.
const SLOWLY: Duration = Duration::from_secs(5);

/// The tables of a component.
pub(crate) struct Schema {
    pub(crate) component: &'static str,
    pub(crate) migrations: Vec<Migration>,
}

/// A connection with the news of its end.
pub(crate) struct Watching {
    client: Client,
    news: Arc<Notify>,
}

/// The task's state.
pub(crate) struct Watcher {
    pub(crate) settings: Settings,
    /// What is to be brought up to date before anything else; `None` when it is.
    pub(crate) schema: Option<Schema>,
    pub(crate) totals: Arc<Totals>,
    pub(crate) standing: Arc<Standing>,
    pub(crate) turn: watch::Sender<Until>,
    pub(crate) writes: mpsc::WeakUnboundedSender<Call>,
}

impl Watching {
    /// Brings the schema up to date and connects.
    pub(crate) async fn begin(settings: &Settings, schema: Option<&Schema>) -> Result<Self, OpenError> {
        if let Some(Schema { component, migrations }) = schema {
            schema::migrate(settings, component, migrations).await?;
        }
        let news = Arc::new(Notify::new());
        let client = connect(settings, Purpose::Watching, Some(Arc::clone(&news)))
            .await
            .map_err(|unreached| schema::unusable(settings, unreached))?;
        Ok(Self { client, news })
    }
}

impl Watcher {
    /// Looks for as long as anybody has the store; whoever has it last aborts this.
    pub(crate) async fn run(mut self, mut watching: Option<Watching>) {
        let mut attempts = 0;
        loop {
            let begun = match watching.take() {
                Some(watching) => Ok(watching),
                None => Watching::begin(&self.settings, self.schema.as_ref()).await,
            };
            let why = match begun {
                Ok(watching) => {
                    self.schema = None;
                    attempts = 0;
                    self.look_on(&watching).await
                }
                Err(why) => why,
            };
            self.turn.send_replace(None);
            self.standing.is_not_there(&why);
            sleep(pause(attempts, why.passes())).await;
            attempts += 1;
        }
    }

    /// Looks again and again. Returns what is wrong when the connection has ended, or does not answer in time.
    async fn look_on(&self, Watching { client, news }: &Watching) -> OpenError {
        let mut is_our_turn = false;
        loop {
            let asked_at = Instant::now();
            let look = self.look(client, &mut is_our_turn);
            if let Err(failure) = within(self.settings.connect_within, look).await {
                let unreached = Unreached { reason: failure.reason().to_owned(), passes: true };
                return schema::unusable(&self.settings, unreached);
            }
            // From the question on, and not from the answer: the server has heard of us then.
            self.turn.send_replace(is_our_turn.then(|| asked_at + LEASE));
            if !self.standing.is_ready() {
                self.standing.is_there();
                self.wake_the_writer();
            }
            // The news is the connection's end.
            let _ = timeout(LOOK_EVERY, news.notified()).await;
        }
    }

    async fn look(&self, client: &Client, is_our_turn: &mut bool) -> Result<(), Failure> {
        let kept = client.query("SELECT name, slot, n FROM totals", &[]).await?;
        self.totals.look(kept.iter().map(read_kept).collect::<Result<_, _>>()?);
        match (self.turn.receiver_count() > 0, *is_our_turn) {
            (true, false) => *is_our_turn = locks::try_for_session(client, Lock::Turn).await?,
            (false, true) => {
                locks::give_back(client, Lock::Turn).await?;
                *is_our_turn = false;
            }
            (true, true) | (false, false) => {}
        }
        Ok(())
    }

    /// It connects, with nothing to write, so that the first request need not wait for that.
    fn wake_the_writer(&self) {
        if let Some(writes) = self.writes.upgrade() {
            let (reply, _nobody_waits) = oneshot::channel();
            let _ = writes.send(Call { changes: Vec::new(), reply });
        }
    }
}

/// Between half of the pause and all of it, so that processes that lost their server together do not come back in step.
fn pause(attempts: u32, passes: bool) -> Duration {
    let longest = match passes {
        true => PAUSES.0.saturating_mul(2_u32.saturating_pow(attempts)).min(PAUSES.1),
        false => SLOWLY,
    };
    // Every `RandomState` has keys of its own.
    let share = RandomState::new().build_hasher().finish() % 1_000;
    longest / 2 + (longest / 2).mul_f64(share as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_are_not_all_the_same() {
        for (attempts, passes, longest) in
            [(0, true, PAUSES.0), (2, true, 4 * PAUSES.0), (999, true, PAUSES.1), (0, false, SLOWLY)]
        {
            let pauses: Vec<_> = (0..100).map(|_| pause(attempts, passes)).collect();
            assert!(pauses.iter().all(|pause| (longest / 2..=longest).contains(pause)), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
        }
    }
}
