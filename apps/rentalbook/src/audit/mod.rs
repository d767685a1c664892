//! `rentalbook tools audit`: is every order where the process says it must be?
//!
//! It walks all stores and the topic, through the ports, so the same code serves every wiring. Orders whose events
//! are still on their way prove nothing; they are looked at again until they are quiet, or time is up.

mod check;
mod evidence;
mod tally;

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use contracts::{GROUPS, TOPIC};
use delivery::application::ports::DeliveryStore;
use mypage::query::View;
use order::application::ports::OrderStore;
use platform_event_bus::{DeadLetters, EventBus};
use platform_outbox::Outbox;
use rent::application::ports::RentStore;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use check::{Verdict, check};
use evidence::{Evidence, Walk};
use tally::Topic;

/// What is audited.
#[derive(Clone)]
pub struct Audit {
    /// Orders.
    pub orders: Arc<dyn OrderStore>,
    /// Rents.
    pub rents: Arc<dyn RentStore>,
    /// Deliveries.
    pub deliveries: Arc<dyn DeliveryStore>,
    /// What the customers see.
    pub view: Arc<dyn View>,
    /// An empty view to build again from the topic, for comparison.
    pub rebuilt: Arc<dyn View>,
    /// The topic.
    pub bus: Arc<dyn EventBus>,
    /// What is committed and not published yet.
    pub outboxes: Vec<Arc<dyn Outbox>>,
    /// Whether all services run, so that nothing may stay where it is.
    pub all_running: Arc<dyn Fn() -> bool + Send + Sync>,
    /// How long orders that are under way are looked at again.
    pub patience: Duration,
}

/// A breach of an invariant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Breach {
    /// The order.
    pub order_id: i64,
    /// Which invariant: 1 to 8, or 0 for the table of agreement.
    pub invariant: u8,
    /// What contradicts what.
    pub what: String,
}

/// What the audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Orders, rents of unknown orders included, that were looked at.
    pub orders: u64,
    /// Events on the topic.
    pub events: u64,
    /// Rents of orders that order does not know: allowed, and never handed over.
    pub foreign: u64,
    /// Orders whose events are still on their way: nothing can be said about them yet.
    pub under_way: u64,
    /// Dead letters that nobody has settled.
    pub dead_letters: u64,
    /// The breaches, by order id.
    pub breaches: Vec<Breach>,
}

/// The audit could not be carried out.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the audit could not be carried out: {0}")]
pub struct AuditError(pub String);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for breach in &self.breaches {
            writeln!(f, "order {}: {} (invariant {})", breach.order_id, breach.what, breach.invariant)?;
        }
        writeln!(
            f,
            "{} orders and {} events audited: {}",
            self.orders,
            self.events,
            if self.breaches.is_empty() {
                "clean".to_owned()
            } else {
                format!("{} breaches", self.breaches.len())
            }
        )?;
        if self.foreign > 0 {
            writeln!(
                f,
                "{} rents belong to orders that are not known here (foreign, allowed)",
                self.foreign
            )?;
        }
        if self.under_way > 0 {
            writeln!(
                f,
                "{} orders are still under way; start what is stopped and audit again",
                self.under_way
            )?;
        }
        if self.dead_letters > 0 {
            writeln!(f, "{} dead letters are open; see `rentalbook tools dlq list`", self.dead_letters)?;
        }
        Ok(())
    }
}

/// Pause before orders that are under way are looked at again.
const AGAIN: Duration = Duration::from_millis(250);

impl Audit {
    /// Audits everything.
    pub async fn run(&self) -> Result<Report, AuditError> {
        let mut topic = Topic::read(&*self.bus, Arc::clone(&self.rebuilt)).await?;
        let mut suspects = self.walk(&mut topic).await?;
        let mut report = Report { orders: suspects.orders, foreign: suspects.foreign, ..Report::default() };

        let end = Instant::now() + self.patience;
        while !suspects.open.is_empty() && Instant::now() < end {
            sleep(AGAIN).await;
            self.look_again(&mut topic, &mut suspects.open).await?;
        }
        for (order_id, verdict) in suspects.open {
            match verdict {
                Verdict::Clean => {}
                Verdict::UnderWay => report.under_way += 1,
                Verdict::Breached(breaches) => {
                    report.breaches.extend(breaches.into_iter().map(|(invariant, what)| Breach {
                        order_id,
                        invariant,
                        what,
                    }));
                }
            }
        }
        report.events = topic.events;
        let letters = DeadLetters::new(Arc::clone(&self.bus), TOPIC);
        report.dead_letters = letters.list().await?.len() as u64;
        Ok(report)
    }

    /// Looks at every order once. What is not clean is suspect, nothing more.
    async fn walk(&self, topic: &mut Topic) -> Result<Suspects, AuditError> {
        let moving = self.moving().await?;
        let mut suspects = Suspects::default();
        let mut walk = Walk::new(self);
        while let Some(evidence) = walk.next(topic).await? {
            suspects.orders += 1;
            suspects.foreign += u64::from(evidence.is_foreign());
            let verdict = self.judge(&evidence, topic, &moving);
            if verdict != Verdict::Clean {
                suspects.open.insert(evidence.order_id, verdict);
            }
        }
        Ok(suspects)
    }

    async fn look_again(
        &self,
        topic: &mut Topic,
        open: &mut BTreeMap<i64, Verdict>,
    ) -> Result<(), AuditError> {
        // What waits is read before what is published: an event that moves in between is seen twice, never not.
        let moving = self.moving().await?;
        topic.catch_up().await?;
        let ids: Vec<_> = open.keys().copied().collect();
        for order_id in ids {
            let evidence = Evidence::gather(self, topic, order_id).await?;
            let verdict = self.judge(&evidence, topic, &moving);
            if verdict == Verdict::Clean {
                open.remove(&order_id);
            } else {
                open.insert(order_id, verdict);
            }
        }
        Ok(())
    }

    fn judge(&self, evidence: &Evidence, topic: &Topic, moving: &Moving) -> Verdict {
        let quiet =
            !moving.waiting.contains(&evidence.order_id) && topic.is_consumed(evidence.order_id, moving);
        check(evidence, quiet, (self.all_running)())
    }

    async fn moving(&self) -> Result<Moving, AuditError> {
        let mut committed = BTreeMap::new();
        for group in GROUPS {
            for position in self.bus.positions(TOPIC, group).await? {
                let least: &mut i64 = committed.entry(position.partition).or_insert(i64::MAX);
                *least = (*least).min(position.committed);
            }
        }
        Ok(Moving { committed, waiting: self.waiting().await? })
    }

    /// The orders with an event that is not published yet.
    async fn waiting(&self) -> Result<HashSet<i64>, AuditError> {
        let mut waiting = HashSet::new();
        for outbox in &self.outboxes {
            let mut after = 0;
            loop {
                let rows = outbox.read(after, 10_000).await.map_err(|error| AuditError(error.to_string()))?;
                let Some(last) = rows.last() else { break };
                after = last.seq;
                let ids =
                    rows.iter().filter_map(|row| std::str::from_utf8(&row.message.key).ok()?.parse().ok());
                waiting.extend::<Vec<i64>>(ids.collect());
            }
        }
        Ok(waiting)
    }
}

#[derive(Default)]
struct Suspects {
    orders: u64,
    foreign: u64,
    open: BTreeMap<i64, Verdict>,
}

/// What is on its way.
pub(crate) struct Moving {
    /// What the slowest group has committed, per partition.
    pub(crate) committed: BTreeMap<u32, i64>,
    /// Orders with an event that is not published yet.
    pub(crate) waiting: HashSet<i64>,
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
