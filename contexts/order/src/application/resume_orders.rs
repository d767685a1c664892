//! Resume what is pending: orders that were deferred and orders that a crash left behind are the same thing.

use std::{
    convert::{self, Infallible},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::{
    StreamExt as _,
    future::{Either, select},
    stream,
};
use tokio::time::sleep;

use super::{
    OnRentUnavailable, Orders,
    ports::{Due, Turn, Unavailable},
};
use crate::domain::Moment;

/// How the worker goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Resuming {
    /// Age at which the own call of an order must be over: longer than any deadline of it.
    pub grace: Duration,
    /// Pause while there is nothing to do.
    pub idle: Duration,
    /// First pause after rent did not answer; doubles up to [`Resuming::max_pause`].
    pub pause: Duration,
    /// Longest pause after rent did not answer.
    pub max_pause: Duration,
    /// Calls under way at once.
    pub concurrency: usize,
    /// What is made of each pause, so that many processes do not come back to rent or a store at the same moment. By
    /// default a pause is what it is.
    pub jitter: fn(Duration) -> Duration,
}

impl Default for Resuming {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(15),
            idle: Duration::from_millis(200),
            pause: Duration::from_millis(100),
            max_pause: Duration::from_secs(2),
            concurrency: 32,
            jitter: convert::identity,
        }
    }
}

/// Orders read at once.
const BATCH: u32 = 256;

enum Round {
    Nothing,
    Resumed,
    /// Rent did not answer, perhaps after it had answered some.
    RentAway {
        answered: bool,
    },
}

/// How the worker gets on with rent.
struct Pace {
    /// How many calls under way at once rent has borne, none while it does not answer. Then it is asked once, and twice as
    /// much whenever it has answered: who has just come back is not run over, and a breaker that tries again lets few
    /// through.
    width: usize,
    /// The next pause.
    pause: Duration,
    /// Which of those that are due is asked for first. It is another one each time, so that an order that rent cannot
    /// answer does not hold up the rest.
    probe: usize,
}

impl Pace {
    fn new(resuming: &Resuming) -> Self {
        Self { width: 0, pause: resuming.pause, probe: 0 }
    }
}

impl Orders {
    /// Works for ever, oldest first, while it is this process's turn. May be dropped at any moment.
    ///
    /// What is under way when the turn is over is dropped, too: asking rent again is safe, and of two who save the
    /// same order one has a conflict. So two who both believe that it is their turn do no harm but work.
    pub async fn resume_orders(self, resuming: Resuming, turn: Arc<dyn Turn>) {
        // Before a process that is the only one began, no call can have been under way.
        let alone_since = (!turn.is_shared()).then(|| self.clock.now());
        loop {
            turn.come().await;
            match select(pin!(self.resume_on(alone_since, &resuming)), turn.over()).await {
                Either::Left((never, _)) => match never {},
                Either::Right(((), _)) => tracing::info!("it is not our turn any more to resume orders"),
            }
        }
    }

    async fn resume_on(&self, alone_since: Option<Moment>, resuming: &Resuming) -> Infallible {
        let mut pace = Pace::new(resuming);
        let rest = |pause| sleep((resuming.jitter)(pause));
        loop {
            match self.resume_round(alone_since, &mut pace, resuming).await {
                Ok(Round::Resumed) => (pace.pause, pace.probe) = (resuming.pause, 0),
                Ok(Round::Nothing) => rest(resuming.idle).await,
                Ok(Round::RentAway { answered }) => {
                    if answered {
                        pace.pause = resuming.pause;
                    }
                    rest(pace.pause).await;
                    let pause = (pace.pause * 2).min(resuming.max_pause);
                    pace = Pace { width: 0, pause, probe: pace.probe + 1 };
                }
                Err(error) => {
                    tracing::warn!(%error, "resuming pauses");
                    rest(resuming.max_pause).await;
                }
            }
        }
    }

    async fn resume_round(
        &self,
        alone_since: Option<Moment>,
        pace: &mut Pace,
        resuming: &Resuming,
    ) -> Result<Round, Unavailable> {
        let grace = i64::try_from(resuming.grace.as_millis()).unwrap_or(i64::MAX);
        let over_by_now = Moment(self.clock.now().0 - grace);
        let placed_before = alone_since.map_or(over_by_now, |since| since.max(over_by_now));
        let mut due = self.store.due(Due { placed_before, limit: BATCH }).await?;
        if due.is_empty() {
            return Ok(Round::Nothing);
        }
        let first = due.remove(pace.probe % due.len());
        due.insert(0, first);
        let all_are_answered_now = self.policy.on_rent_unavailable == OnRentUnavailable::Reject;
        let mut due = due.into_iter();
        let (mut answered, mut in_vain) = (false, 0);
        while due.len() > 0 {
            let is_full = pace.width >= resuming.concurrency;
            let width = pace.width.max(1);
            let together = if is_full { due.len() } else { width };
            let mut calls = stream::iter(due.by_ref().take(together).map(|order| self.resume(order)))
                .buffer_unordered(width);
            while let Some(rent_answered) = calls.next().await {
                let rent_answered = rent_answered?;
                answered |= rent_answered;
                in_vain = if rent_answered { 0 } else { in_vain + 1 };
                if in_vain > pace.width && !all_are_answered_now {
                    return Ok(Round::RentAway { answered });
                }
            }
            if in_vain == 0 || all_are_answered_now {
                pace.width = (pace.width * 2).clamp(1, resuming.concurrency);
            }
        }
        Ok(if answered || all_are_answered_now { Round::Resumed } else { Round::RentAway { answered } })
    }

    /// Whether rent answered.
    async fn resume(&self, order: crate::domain::Order) -> Result<bool, Unavailable> {
        let correlation_id: Arc<str> = format!("resume-{}", order.id.0).into();
        // Whether its own call got as far as rent, nobody knows any more.
        Ok(self.ask_rent(order, Some(correlation_id), None, true).await?.rent_answered)
    }
}
