//! What is saved is said: exactly the facts of a change are in the outbox, exactly if its row is saved.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use contracts::decode;
use platform_outbox::{Outbox, OutboxRow};
use rent::{
    adapters::outbound::{memory::MemoryRents, sqlite::SqliteRents},
    application::ports::{Conflict, RentStore, Said, Save},
    domain::{Copy, Fact, Moment, OrderId, Rent, RentId, RentState},
};

use super::{changed, new, rents};

/// A store, and what waits in it to be published.
#[async_trait]
pub(crate) trait Outspoken: RentStore {
    /// Everything that waits, in its sequence.
    async fn said(&self) -> Vec<Line>;
}

/// Something said: about which order, what, and what an event has to carry of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    order_id: i64,
    event: (&'static str, &'static str),
    version: i64,
    at: i64,
    correlation_id: Option<String>,
}

impl Line {
    fn of(order_id: OrderId, said: &Said) -> Self {
        let event = match said.fact {
            Fact::Rented => ("Rented", "Rent"),
            Fact::RentCanceled => ("RentCanceled", "Rent Canceled"),
            Fact::RentReinstated => ("RentReinstated", "Rent"),
        };
        Self {
            order_id: order_id.0,
            event,
            version: said.version.0,
            at: said.at.0,
            correlation_id: said.correlation_id.as_deref().map(str::to_owned),
        }
    }

    fn read(row: &OutboxRow) -> Self {
        let nameless = || panic!("every event of ours has a name");
        let event = decode(&row.message.value, nameless).expect("JSON").expect("an event");
        assert_eq!(
            row.message.key,
            contracts::key(event.order_id),
            "one order's events stay in their sequence"
        );
        Self {
            order_id: event.order_id,
            event: (event.kind.event_type(), event.kind.status()),
            version: event.version.expect("a version"),
            at: event.occurred_at.expect("a time").0,
            correlation_id: event.correlation_id,
        }
    }
}

/// What waits in an outbox; in a database, as soon as the process before this one has let go of it.
async fn waiting(outbox: &impl Outbox) -> Vec<Line> {
    let reading = async {
        loop {
            match outbox.read(0, 100_000).await {
                Ok(rows) => return rows.iter().map(Line::read).collect(),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reading).await.expect("the outbox can be read")
}

#[async_trait]
impl Outspoken for MemoryRents {
    async fn said(&self) -> Vec<Line> {
        MemoryRents::said(self).iter().map(|(order_id, said)| Line::of(*order_id, said)).collect()
    }
}

#[async_trait]
impl Outspoken for SqliteRents {
    async fn said(&self) -> Vec<Line> {
        waiting(&self.outbox()).await
    }
}

#[cfg(feature = "postgres")]
#[async_trait]
impl Outspoken for rent::adapters::outbound::postgres::PostgresRents {
    async fn said(&self) -> Vec<Line> {
        waiting(&self.outbox()).await
    }
}

/// A change that says these facts, in the name of a request.
fn saying(change: Save, request: &str, facts: &[Fact]) -> Save {
    let said = |(fact, n): (&Fact, i64)| Said {
        fact: *fact,
        version: change.rent.version,
        at: Moment(5_000 + n),
        correlation_id: Some(request.into()),
    };
    Save { facts: facts.iter().zip(1..).map(said).collect(), ..change }
}

/// What has to be said when exactly these changes are saved: the sequence of each order, whichever it is between
/// orders.
fn lines<'a>(saved: impl IntoIterator<Item = &'a Save>) -> BTreeMap<i64, Vec<Line>> {
    let mut lines = BTreeMap::<_, Vec<_>>::new();
    for change in saved {
        let order_id = change.rent.order_id;
        let said = change.facts.iter().map(|said| Line::of(order_id, said));
        lines.entry(order_id.0).or_default().extend(said);
    }
    lines.retain(|_, lines| !lines.is_empty());
    lines
}

fn by_order(said: Vec<Line>) -> BTreeMap<i64, Vec<Line>> {
    let mut lines = BTreeMap::<_, Vec<_>>::new();
    for line in said {
        lines.entry(line.order_id).or_default().push(line);
    }
    lines
}

pub(super) async fn exactly_what_is_saved_is_said(reopen: &impl AsyncFn() -> Arc<dyn Outspoken>) {
    let store = reopen().await;
    assert_eq!(store.said().await, [], "nothing saved until here had anything to say");
    let mut saved = Vec::new();

    let a_rent = |id, order_id| Rent { id: RentId(id), order_id: OrderId(order_id), ..rents().remove(1) };
    let one = saying(new(&a_rent(701, 701)), "r-1", &[Fact::Rented, Fact::RentCanceled]);
    assert_eq!(store.save(one.clone()).await, Ok(Ok(())));
    saved.push(one);
    assert_eq!(store.said().await, lines(&saved)[&701], "in their sequence");

    let (bound, lost) = (RentState::Canceled(Copy::Bound), Err(Conflict));
    let cancelled = |id, expected| changed(&a_rent(id, id), expected, bound.clone());
    assert_eq!(store.save(new(&a_rent(706, 706))).await, Ok(Ok(())));
    let changes = vec![
        saying(cancelled(706, 9), "stale", &[Fact::RentCanceled]),
        saying(cancelled(701, 1), "r-2", &[Fact::RentCanceled]),
        saying(new(&a_rent(702, 702)), "r-3", &[Fact::Rented]),
        saying(new(&a_rent(703, 701)), "again", &[Fact::Rented]),
        saying(cancelled(704, 1), "of nothing", &[Fact::RentCanceled]),
        new(&a_rent(705, 705)),
    ];
    let results = store.save_all(changes.clone()).await.expect("answers");
    assert_eq!(results, [lost, Ok(()), Ok(()), lost, lost, Ok(())]);
    saved.extend(
        changes.into_iter().zip(results).filter(|(_, result)| result.is_ok()).map(|(change, _)| change),
    );
    assert_eq!(
        by_order(store.said().await),
        lines(&saved),
        "a conflict says nothing, nor does what says nothing"
    );

    assert_eq!(store.save(saying(cancelled(701, 1), "late", &[Fact::RentCanceled])).await, Ok(lost));
    let again = saying(changed(&a_rent(701, 701), 2, RentState::WithCourier), "r-4", &[Fact::RentReinstated]);
    assert_eq!(store.save(again.clone()).await, Ok(Ok(())));
    saved.push(again);
    assert_eq!(by_order(store.said().await), lines(&saved), "after what was said before");

    // Two at once for each of eight orders: one of them has its row, and its facts.
    let first = |id, request: &str| {
        saying(new(&a_rent(id, 800 + id / 2)), request, &[Fact::Rented, Fact::RentCanceled])
    };
    let asking: Vec<_> = (0..16_i64)
        .map(|n| {
            let change = first(720 + n, &format!("r-{n}"));
            let store = Arc::clone(&store);
            tokio::spawn(async move { (store.save(change.clone()).await.expect("an answer"), change) })
        })
        .collect();
    let mut won = 0;
    for one in asking {
        if let (Ok(()), change) = one.await.expect("no panic") {
            saved.push(change);
            won += 1;
        }
    }
    assert_eq!((won, by_order(store.said().await)), (8, lines(&saved)), "of those who meet, one speaks");
    drop(store);
    assert_eq!(by_order(reopen().await.said().await), lines(&saved), "and so it is after a restart");
}
