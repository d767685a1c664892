//! For what the audit waits, and for what not: on the files of a library, with a patience of the test's own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use contracts::{EventKind, TOPIC, WireClock};
use order::{
    application::ports::{OrderStore as _, Save},
    domain::{Item, Moment, Order, OrderId, OrderState, Rejection, Version},
};
use platform_event_bus::{DeadLetters, Record};
use rentalbook::{
    audit::{Audit, Breach, Report},
    data_folder::DataFolder,
    scratch::Scratch,
    stores::Stores,
};
use tokio::runtime::Handle;

use super::breaches::an_event;

/// So long that a test whose audit waits for it never ends.
const FOR_EVER: Duration = Duration::from_secs(1_000_000);

/// Long enough to look several times.
const SHORT: Duration = Duration::from_millis(600);

/// Longest time that the audit of a few orders may take.
const SOON: Duration = Duration::from_secs(60);

/// The files of a library that nobody runs.
struct Files {
    stores: Stores,
    scratch: Scratch,
    _folder: (Arc<DataFolder>, tempfile::TempDir),
}

impl Files {
    async fn open() -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Arc::new(DataFolder::open(place.path()).expect("a data folder"));
        let stores = Stores::open(&folder, &WireClock::default(), None).await.expect("the files");
        Self { stores, scratch: Scratch::of(&folder), _folder: (folder, place) }
    }

    async fn with_orders(states: &[OrderState]) -> Self {
        let files = Self::open().await;
        for (id, state) in (1..).zip(states) {
            save(&files.stores, None, an_order(id, state.clone())).await;
        }
        files
    }

    async fn audit(
        &self,
        patience: Duration,
        all_running: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Report {
        let stores = &self.stores;
        let audit = Audit {
            library: stores.parts(),
            rebuilt: Arc::new(self.scratch.view().expect("a view")),
            all_running: Arc::new(all_running),
            patience,
        };
        let report = tokio::time::timeout(SOON, audit.run()).await.expect("it does not wait for ever");
        report.expect("an audit")
    }

    /// As if a group could not handle this record.
    async fn set_aside(&self, key: Option<i64>, value: &[u8]) {
        let record = Record {
            partition: 0,
            offset: 0,
            published_at: 0,
            key: key.map(contracts::key),
            headers: Default::default(),
            value: value.to_vec().into(),
        };
        let letters = DeadLetters::new(Arc::new(self.stores.bus.clone()), TOPIC);
        letters.add(&record, "order", "planted", 1).await.expect("set aside");
    }
}

fn an_order(id: i64, state: OrderState) -> Order {
    Order {
        id: OrderId(id),
        item: Item::parse("COSMOS").expect("an item"),
        customer: None,
        state,
        ordered_said: false,
        deferred_said: false,
        idempotency_key: None,
        version: Version(1),
        placed_at: Moment(0),
        changed_at: Moment(0),
    }
}

async fn save(stores: &Stores, expected: Option<Version>, order: Order) {
    let was_pending = expected.is_some();
    let change = Save {
        expected,
        was_pending,
        pending_below: None,
        order,
        facts: Vec::new(),
        revocation: None,
        redoable: false,
    };
    stores.orders.save(change).await.expect("the file").expect("nobody else writes");
}

/// The orders whose breach of invariant 8 is reported, and how many are under way.
fn stuck(report: &Report) -> (Vec<i64>, u64) {
    assert!(report.breaches.iter().all(|breach| breach.invariant == 8), "{report}");
    (report.breaches.iter().map(|breach| breach.order_id).collect(), report.under_way)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_can_heal_is_not_waited_for() {
    let files = Files::with_orders(&[OrderState::Ordered]).await;
    let report = files.audit(FOR_EVER, || true).await;
    let expected =
        Breach { order_id: 1, invariant: 0, what: "rent is None while the order is Ordered".to_owned() };
    assert!(report.breaches.contains(&expected) && report.under_way == 0, "{report}");

    let files = Files::with_orders(&[OrderState::Cancelling]).await;
    let report = files.audit(FOR_EVER, || true).await;
    assert!(report.breaches.iter().any(|breach| breach.what.contains("never published")), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_orders_that_nobody_resumes_are_reported_when_patience_ends() {
    let files = Files::with_orders(&[OrderState::Pending, OrderState::Pending]).await;
    assert_eq!(stuck(&files.audit(SHORT, || true).await), (vec![1, 2], 0));
    assert_eq!(stuck(&files.audit(SHORT, || false).await), (vec![], 2), "they wait for a service");
    assert_eq!(stuck(&files.audit(Duration::ZERO, || false).await), (vec![], 2), "closed");
}

/// Tells that everything runs, and when it is asked before the first further look, changes order 1 from its first
/// version.
fn changes_order_1(stores: &Stores, state: OrderState) -> impl Fn() -> bool + Send + Sync + use<> {
    let (stores, runtime, looks) = (stores.clone(), Handle::current(), AtomicU32::new(0));
    move || {
        if looks.fetch_add(1, Ordering::Relaxed) == 1 {
            let changed = Order { version: Version(2), ..an_order(1, state.clone()) };
            tokio::task::block_in_place(|| runtime.block_on(save(&stores, Some(Version(1)), changed)));
        }
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_orders_that_are_resumed_oldest_first_are_under_way() {
    let files = Files::with_orders(&[OrderState::Pending, OrderState::Pending, OrderState::Pending]).await;
    let rejected = OrderState::Rejected(Rejection::Rule("no".to_owned()));
    let report = files.audit(SHORT, changes_order_1(&files.stores, rejected)).await;
    let (others, first): (Vec<_>, Vec<_>) = report.breaches.iter().partition(|breach| breach.order_id > 1);
    assert!(others.is_empty() && !first.is_empty(), "only the first is at an end: {report}");
    assert_eq!(report.under_way, 2, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_changes_between_two_looks_proves_nothing() {
    let files = Files::with_orders(&[OrderState::Pending]).await;
    let report = files.audit(Duration::ZERO, changes_order_1(&files.stores, OrderState::Ordered)).await;
    assert_eq!(stuck(&report), (vec![], 1), "{report}");
    let report = files.audit(Duration::ZERO, || true).await;
    assert!(!report.breaches.is_empty(), "now it stands still: {report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_came_back_while_the_audit_waited_has_not_had_its_time() {
    let files = Files::with_orders(&[OrderState::Pending]).await;
    let runs = AtomicBool::new(false);
    let report = files.audit(SHORT, move || runs.swap(true, Ordering::Relaxed)).await;
    assert_eq!(stuck(&report), (vec![], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_with_a_dead_letter_is_under_way_until_that_is_settled() {
    let files = Files::with_orders(&[OrderState::Pending, OrderState::Pending, OrderState::Pending]).await;
    files.set_aside(Some(1), b"not an event").await;
    let rented = an_event(2, EventKind::Rented).encode(&WireClock::default());
    files.set_aside(None, &rented).await;
    let report = files.audit(SHORT, || true).await;
    assert_eq!(stuck(&report), (vec![3], 2));
    assert_eq!(report.dead_letters, 2);

    let letters = DeadLetters::new(Arc::new(files.stores.bus.clone()), TOPIC);
    for letter in letters.list().await.expect("the letters") {
        letters.drop(letter.id).await.expect("settled");
    }
    assert_eq!(stuck(&files.audit(SHORT, || true).await), (vec![1, 2, 3], 0));

    let files = Files::with_orders(&[OrderState::Ordered]).await;
    files.set_aside(Some(1), b"not an event").await;
    assert_eq!(stuck(&files.audit(Duration::ZERO, || false).await), (vec![], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_summary_counts_what_is_under_way() {
    let files = Files::with_orders(&[OrderState::Pending, OrderState::Pending]).await;
    files.set_aside(Some(1), b"not an event").await;
    let report = files.audit(Duration::ZERO, || false).await.to_string();
    for line in
        ["2 orders and 0 events audited: clean\n", "2 orders are still under way", "1 dead letters are open"]
    {
        assert!(report.contains(line), "{report}");
    }
}
