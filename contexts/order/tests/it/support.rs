//! What the tests are told with: a rent that does as the test says, a store with something in its way, a library.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use order::{
    adapters::outbound::{memory::MemoryOrders, sqlite::SqliteOrders},
    application::{
        CancelError, CancelOrder, OnRentUnavailable, Orders, PlaceError, PlaceOrder, Policy, Reaction,
        ReactionKind,
        ports::{
            AskRent, Clock, Conflict, Due, OrderStore, PageError, PageQuery, RentAnswer, RentDesk, Save,
            Unavailable,
        },
    },
    domain::{Customer, Fact, IdempotencyKey, Item, Moment, Order, OrderId, OrderState, Rejection},
};
use parking_lot::Mutex;
use tokio::time::Instant;

/// The first order of a library.
pub(crate) const FIRST: OrderId = OrderId(1);

type Script = Arc<dyn Fn(AskRent) -> BoxFuture<'static, RentAnswer> + Send + Sync>;

/// Rent, doing what the test says.
#[derive(Clone)]
pub(crate) struct Desk {
    script: Arc<Mutex<Script>>,
    asked: Arc<Mutex<Vec<AskRent>>>,
}

impl Desk {
    pub(crate) fn answering(answer: RentAnswer) -> Self {
        let script: Script = Arc::new(move |_| Box::pin(std::future::ready(answer.clone())));
        Self { script: Arc::new(Mutex::new(script)), asked: Arc::default() }
    }

    /// From now on it answers so.
    pub(crate) fn answers(&self, answer: RentAnswer) {
        self.does(move |_| std::future::ready(answer.clone()));
    }

    /// From now on it does so.
    pub(crate) fn does<F>(&self, script: impl Fn(AskRent) -> F + Send + Sync + 'static)
    where
        F: Future<Output = RentAnswer> + Send + 'static,
    {
        *self.script.lock() = Arc::new(move |ask| Box::pin(script(ask)));
    }

    /// Every question so far.
    pub(crate) fn asked(&self) -> Vec<AskRent> {
        self.asked.lock().clone()
    }

    /// The orders of every question so far.
    pub(crate) fn asked_for(&self) -> Vec<i64> {
        self.asked.lock().iter().map(|ask| ask.order_id.0).collect()
    }
}

#[async_trait]
impl RentDesk for Desk {
    async fn confirm(&self, ask: AskRent) -> RentAnswer {
        self.asked.lock().push(ask.clone());
        let script = Arc::clone(&self.script.lock());
        script(ask).await
    }
}

pub(crate) fn away() -> RentAnswer {
    RentAnswer::Unavailable("the desk is closed".to_owned())
}

pub(crate) fn refused() -> RentAnswer {
    RentAnswer::Refused("this customer may not borrow".to_owned())
}

pub(crate) fn by_rule() -> OrderState {
    OrderState::Rejected(Rejection::Rule("this customer may not borrow".to_owned()))
}

pub(crate) const UNAVAILABLE: OrderState = OrderState::Rejected(Rejection::Unavailable);

/// Goes with tokio's time, also where that is paused.
struct TokioClock(Instant);

/// When every test begins.
pub(crate) const BEGIN: i64 = 1_604_646_451_007;

impl Clock for TokioClock {
    fn now(&self) -> Moment {
        Moment(BEGIN + i64::try_from(self.0.elapsed().as_millis()).expect("a short test"))
    }
}

pub(crate) fn orders_on(store: impl OrderStore, desk: &Desk, policy: Policy) -> Orders {
    orders_with(store, desk.clone(), policy)
}

pub(crate) fn orders_with(store: impl OrderStore, desk: impl RentDesk, policy: Policy) -> Orders {
    Orders::new(Arc::new(store), Arc::new(desk), Arc::new(TokioClock(Instant::now())), policy)
}

pub(crate) fn policy(on_rent_unavailable: OnRentUnavailable) -> Policy {
    Policy { on_rent_unavailable, ..Policy::default() }
}

type Interruption = Box<dyn Fn(usize) -> BoxFuture<'static, ()> + Send + Sync>;

/// A store with something that happens before every write, or before it is answered; both are told the number of
/// the write, from 1.
pub(crate) struct Interrupted {
    store: MemoryOrders,
    writes: AtomicUsize,
    before: Interruption,
    after: Interruption,
}

fn boxed<F>(interruption: impl Fn(usize) -> F + Send + Sync + 'static) -> Interruption
where
    F: Future<Output = ()> + Send + 'static,
{
    Box::new(move |write| Box::pin(interruption(write)))
}

impl Interrupted {
    pub(crate) fn new<F>(store: MemoryOrders, before: impl Fn(usize) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let after = boxed(|_| std::future::ready(()));
        Self { store, writes: AtomicUsize::new(0), before: boxed(before), after }
    }

    pub(crate) fn after<F>(store: MemoryOrders, after: impl Fn(usize) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { after: boxed(after), ..Self::new(store, |_| std::future::ready(())) }
    }
}

#[async_trait]
impl OrderStore for Interrupted {
    async fn next_id(&self) -> Result<OrderId, Unavailable> {
        self.store.next_id().await
    }

    async fn by_id(&self, id: OrderId) -> Result<Option<Order>, Unavailable> {
        self.store.by_id(id).await
    }

    async fn by_key(&self, key: &IdempotencyKey) -> Result<Option<Order>, Unavailable> {
        self.store.by_key(key).await
    }

    async fn by_ids(&self, ids: &[OrderId]) -> Result<Vec<Order>, Unavailable> {
        self.store.by_ids(ids).await
    }

    async fn save_all(&self, changes: Vec<Save>) -> Result<Vec<Result<(), Conflict>>, Unavailable> {
        let write = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        let (before, after, store) = ((self.before)(write), (self.after)(write), self.store.clone());
        // As with the real stores: what was asked for goes on whether or not the caller still waits.
        let saving = tokio::spawn(async move {
            before.await;
            let saved = store.save_all(changes).await;
            after.await;
            saved
        });
        saving.await.expect("no panic")
    }

    fn pending(&self) -> u64 {
        self.store.pending()
    }

    async fn due(&self, due: Due) -> Result<Vec<Order>, Unavailable> {
        self.store.due(due).await
    }

    async fn page(&self, query: PageQuery) -> Result<(Vec<Order>, u64), PageError> {
        self.store.page(query).await
    }

    async fn scan(&self, after: OrderId, limit: u32) -> Result<Vec<Order>, Unavailable> {
        self.store.scan(after, limit).await
    }
}

/// Order on the fake store, and the rent that it asks.
pub(crate) struct Library {
    pub(crate) store: MemoryOrders,
    pub(crate) desk: Desk,
    pub(crate) orders: Orders,
}

/// A library whose rent answers so.
pub(crate) fn a_library(on_rent_unavailable: OnRentUnavailable, answer: RentAnswer) -> Library {
    let (store, desk) = (MemoryOrders::default(), Desk::answering(answer));
    let orders = orders_on(store.clone(), &desk, policy(on_rent_unavailable));
    Library { store, desk, orders }
}

/// A library with an order in this state, as it gets there.
pub(crate) async fn with_an_order(state: &OrderState) -> Library {
    let library = a_library(OnRentUnavailable::Defer, RentAnswer::Confirmed);
    match state {
        OrderState::Pending => library.desk.answers(away()),
        OrderState::Rejected(_) => library.desk.answers(refused()),
        OrderState::Ordered | OrderState::Cancelling | OrderState::Canceled | OrderState::Shipped => {}
    }
    let Library { orders, .. } = &library;
    match state {
        OrderState::Rejected(Rejection::Unavailable) => {
            library.desk.answers(away());
            let reject = policy(OnRentUnavailable::Reject);
            place(&orders_on(library.store.clone(), &library.desk, reject)).await;
        }
        _ => {
            place(orders).await;
        }
    }
    if matches!(state, OrderState::Cancelling | OrderState::Canceled) {
        cancel(orders).await.expect("cancelled");
    }
    match state {
        OrderState::Canceled => react(orders, &[ReactionKind::DeliveryCanceled]).await,
        OrderState::Shipped => react(orders, &[ReactionKind::HandedOver]).await,
        _ => {}
    }
    library.desk.answers(RentAnswer::Confirmed);
    assert_eq!(library.first().await.state, *state);
    library
}

impl Library {
    /// The first order as it is committed.
    pub(crate) async fn first(&self) -> Order {
        committed(&self.store, FIRST).await
    }

    /// What was said about the first order.
    pub(crate) fn said(&self) -> Vec<Fact> {
        self.store.said().iter().filter(|(id, _)| *id == FIRST).map(|(_, said)| said.fact).collect()
    }

    pub(crate) async fn count(&self) -> u64 {
        self.orders.page(PageQuery { offset: 0, limit: 1, sort: Vec::new() }).await.expect("a page").1
    }
}

pub(crate) async fn committed(store: &impl OrderStore, id: OrderId) -> Order {
    store.by_id(id).await.expect("a read").expect("an order")
}

/// A file that goes when the test ends, with order's store in it.
pub(crate) fn a_file() -> (tempfile::TempDir, SqliteOrders) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteOrders::open(&folder.path().join("order.db"), contracts::WireClock::default());
    (folder, store.expect("it opens"))
}

pub(crate) fn a_placement() -> PlaceOrder {
    PlaceOrder {
        item: Item::parse("COSMOS").expect("an item"),
        customer: Customer::parse("kim"),
        idempotency_key: None,
        correlation_id: Some("c-1".into()),
        answer_by: None,
    }
}

pub(crate) fn with_key(key: &str) -> PlaceOrder {
    PlaceOrder { idempotency_key: IdempotencyKey::parse(key), ..a_placement() }
}

pub(crate) async fn place(orders: &Orders) -> Order {
    try_to_place(orders).await.expect("an order")
}

pub(crate) async fn try_to_place(orders: &Orders) -> Result<Order, PlaceError> {
    orders.place_order(a_placement()).await
}

pub(crate) fn a_cancellation(id: OrderId) -> CancelOrder {
    CancelOrder { id, if_version: None, correlation_id: Some("c-2".into()) }
}

/// Cancels the first order.
pub(crate) async fn cancel(orders: &Orders) -> Result<Order, CancelError> {
    orders.cancel_order(a_cancellation(FIRST)).await
}

pub(crate) fn a_reaction(order_id: OrderId, kind: ReactionKind) -> Reaction {
    Reaction { order_id, kind, correlation_id: Some("c-3".into()) }
}

/// Events of the first order, read together.
pub(crate) async fn react(orders: &Orders, kinds: &[ReactionKind]) {
    let reactions = kinds.iter().map(|kind| a_reaction(FIRST, *kind)).collect();
    orders.on_events(reactions).await.expect("applied");
}

/// Waits until it is so, however long that takes on this machine.
pub(crate) async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}
