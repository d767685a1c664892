//! `rentalbook tools audit`: is every order where the process says it must be?
//!
//! It walks all stores and the topic, through the ports, so the same code serves every wiring. Orders whose events
//! are still on their way prove nothing; they are looked at again until they are quiet, or time is up.

mod agreement;
mod check;
mod evidence;
mod moving;
mod report;
mod said;
mod tally;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mypage::query::View;
use order::{
    application::ports::Due,
    domain::{Moment, OrderId},
};
use tokio::time::{Instant, sleep};

use crate::parts::Parts;
use check::{Calm, Verdict, check};
use evidence::{Evidence, Rows, Walk};
use moving::{Moving, open_letters};
pub use report::{Breach, Report};
use tally::Topic;

/// What is audited.
#[derive(Clone)]
pub struct Audit {
    /// The library.
    pub library: Parts,
    /// An empty view to build again from the topic, for comparison.
    pub rebuilt: Arc<dyn View>,
    /// Whether all services run, so that nothing may stay where it is.
    pub all_running: Arc<dyn Fn() -> bool + Send + Sync>,
    /// How long orders that are under way are looked at again; zero where nothing runs that could move them.
    pub patience: Duration,
}

/// The audit could not be carried out.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the audit could not be carried out: {0}")]
pub struct AuditError(pub String);

/// Pause before orders that are not clean are looked at again.
const AGAIN: Duration = Duration::from_millis(250);

impl Audit {
    /// Audits everything. What contradicts itself for good is not waited for; what may still come right is, until
    /// patience ends.
    pub async fn run(&self) -> Result<Report, AuditError> {
        let mut topic = Topic::read(&self.library, Arc::clone(&self.rebuilt)).await?;
        let (mut report, mut suspects) = self.walk(&topic).await?;
        let mut resuming = Resuming::begin(self).await?;
        let end = Instant::now() + self.patience;
        while !suspects.is_empty() {
            // Where nothing runs, nothing changes; but only a second look knows that nothing has changed.
            sleep(AGAIN.min(self.patience)).await;
            let is_last = Instant::now() >= end;
            resuming.is_possible &= (self.all_running)();
            self.look_again(&mut topic, &mut suspects, resuming.is_possible, &mut report).await?;
            if is_last {
                break;
            }
        }
        let is_stuck = resuming.is_stuck(self).await?;
        for (order_id, suspect) in suspects {
            if is_stuck && suspect.is_pending {
                let what = "it stays Pending although all services run".to_owned();
                report.breaches.push(Breach { order_id, invariant: 8, what });
            } else {
                report.under_way += 1;
            }
        }
        report.breaches.sort();
        report.events = topic.events;
        report.dead_letters = open_letters(self).await?.len() as u64;
        Ok(report)
    }

    /// Looks at every order once. What is not clean is suspect, nothing more: its rows are younger than what was
    /// read of the topic.
    async fn walk(&self, topic: &Topic) -> Result<(Report, BTreeMap<i64, Suspect>), AuditError> {
        let mut report = Report::default();
        let mut suspects = BTreeMap::new();
        let mut walk = Walk::new(self);
        let calm = Calm { steady: false, quiet: false, all_running: false };
        while let Some(evidence) = walk.next(topic).await? {
            report.orders += 1;
            report.foreign += u64::from(evidence.is_foreign());
            if check(&evidence, calm) != Verdict::Clean {
                suspects.insert(evidence.order_id, Suspect { rows: evidence.rows(), is_pending: false });
            }
        }
        Ok((report, suspects))
    }

    /// Rows, then what moves, then the topic, then the rows again: where they are the same, they are of one moment,
    /// and everything that they and the topic have caused by then is known.
    async fn look_again(
        &self,
        topic: &mut Topic,
        suspects: &mut BTreeMap<i64, Suspect>,
        all_running: bool,
        report: &mut Report,
    ) -> Result<(), AuditError> {
        let moving = Moving::read(self).await?;
        topic.catch_up().await?;
        let ids: Vec<_> = suspects.keys().copied().collect();
        for order_id in ids {
            let evidence = Evidence::gather(self, topic, order_id).await?;
            let rows = evidence.rows();
            let steady = suspects.get(&order_id).is_some_and(|before| before.rows == rows);
            let quiet = steady && moving.is_quiet(order_id, topic);
            let verdict = check(&evidence, Calm { steady, quiet, all_running });
            suspects.remove(&order_id);
            match verdict {
                Verdict::Clean => {}
                Verdict::UnderWay => drop(suspects.insert(order_id, Suspect { rows, is_pending: false })),
                Verdict::Pending => drop(suspects.insert(order_id, Suspect { rows, is_pending: true })),
                Verdict::Breached(breaches) => {
                    let named = |(invariant, what)| Breach { order_id, invariant, what };
                    report.breaches.extend(breaches.into_iter().map(named));
                }
            }
        }
        Ok(())
    }

    /// The pending order that is resumed next.
    async fn oldest_pending(&self) -> Result<Option<OrderId>, AuditError> {
        let all = Due { placed_before: Moment(i64::MAX), limit: 1 };
        Ok(self.library.orders.due(all).await?.first().map(|order| order.id))
    }
}

/// An order that was not clean when it was looked at last.
struct Suspect {
    rows: Rows,
    /// Whether it waits only to be resumed.
    is_pending: bool,
}

/// Whether pending orders are resumed. They are taken up oldest first, so as long as the oldest is another one from
/// time to time, the others have their turn.
struct Resuming {
    oldest: Option<OrderId>,
    /// Whether everything has run all the time.
    is_possible: bool,
}

impl Resuming {
    async fn begin(audit: &Audit) -> Result<Self, AuditError> {
        Ok(Self { oldest: audit.oldest_pending().await?, is_possible: (audit.all_running)() })
    }

    async fn is_stuck(&self, audit: &Audit) -> Result<bool, AuditError> {
        Ok(self.is_possible && self.oldest == audit.oldest_pending().await?)
    }
}

macro_rules! from_error {
    ($($error:ty),*) => {$(
        impl From<$error> for AuditError {
            fn from(error: $error) -> Self {
                Self(error.to_string())
            }
        }
    )*};
}

from_error!(
    platform_event_bus::BusError,
    order::application::ports::Unavailable,
    rent::application::ports::Unavailable,
    delivery::application::ports::Unavailable,
    mypage::query::Unavailable
);
