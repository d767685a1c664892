//! All contexts on fakes, with the test as their relay, their consumer loop and their network.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use contracts::{Event, EventKind, TOPIC, Timestamp, WireClock};
use delivery::{
    adapters::outbound::memory::MemoryDeliveries,
    application::{Deliveries, HandOver, ports::DeliveryStore as _},
    domain::DeliveryState,
};
use mypage::adapters::outbound::memory::MemoryView;
use order::{
    adapters::outbound::memory::MemoryOrders,
    application::{
        CancelOrder, OnRentUnavailable, Orders, PlaceOrder, Policy, Resuming,
        ports::{AlwaysOurs, AskRent, OrderStore as _, RentAnswer, RentDesk},
    },
    domain::{Item, OrderId, OrderState, Rejection},
};
use platform_event_bus::{EventBus as _, Handler, Headers, NewRecord, memory::MemoryBus};
use rent::{
    adapters::outbound::memory::MemoryRents,
    application::{ConfirmError, ConfirmRent, Rents, ports::RentStore as _},
};
use rentalbook::{
    audit::{Audit, Report},
    parts::Parts,
};
use tokio::time::timeout;

const GROUPS: [&str; 4] = contracts::GROUPS;

/// How a call from order to rent goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Answered,
    /// Rent has done it, and order does not hear of it.
    AnswerLost,
    NotReached,
    /// Order dies before rent is asked.
    DiedBefore,
    /// Order dies while rent answers.
    DiedAfter,
}

/// Time goes on with every look at it.
#[derive(Clone, Default)]
struct Ticking(Arc<AtomicI64>);

impl Ticking {
    fn tick(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl order::application::ports::Clock for Ticking {
    fn now(&self) -> order::domain::Moment {
        order::domain::Moment(self.tick())
    }
}

impl rent::application::ports::Clock for Ticking {
    fn now(&self) -> rent::domain::Moment {
        rent::domain::Moment(self.tick())
    }
}

impl delivery::application::ports::Clock for Ticking {
    fn now(&self) -> delivery::domain::Moment {
        delivery::domain::Moment(self.tick())
    }
}

/// The network between order and rent.
struct Network {
    rents: Rents,
    call: parking_lot::Mutex<Call>,
}

#[async_trait]
impl RentDesk for Network {
    async fn confirm(&self, ask: AskRent) -> RentAnswer {
        let call = *self.call.lock();
        match call {
            Call::NotReached => return RentAnswer::Unavailable("not reached".to_owned()),
            Call::DiedBefore => return std::future::pending().await,
            Call::Answered | Call::AnswerLost | Call::DiedAfter => {}
        }
        let command = ConfirmRent {
            order_id: rent::domain::OrderId(ask.order_id.0),
            customer: ask.customer.and_then(|customer| rent::domain::Customer::parse(customer.as_str())),
            correlation_id: None,
        };
        let answer = match self.rents.confirm_rent(command).await {
            Ok(_) => RentAnswer::Confirmed,
            Err(ConfirmError::Refused(refusal)) => RentAnswer::Refused(refusal.0),
            Err(ConfirmError::Unavailable(error)) => RentAnswer::Unavailable(error.0),
        };
        match call {
            Call::Answered => answer,
            Call::AnswerLost => RentAnswer::Unavailable("the answer was lost".to_owned()),
            Call::DiedAfter => std::future::pending().await,
            Call::NotReached | Call::DiedBefore => unreachable!("returned before"),
        }
    }
}

/// What somebody was promised.
#[derive(Clone, Debug, Default)]
struct Promise {
    answered: Option<OrderState>,
    cancel_accepted: bool,
    handed_over: bool,
}

pub(super) struct World {
    order_store: MemoryOrders,
    rent_store: MemoryRents,
    delivery_store: MemoryDeliveries,
    view: Arc<MemoryView>,
    bus: MemoryBus,
    orders: Orders,
    deliveries: Deliveries,
    network: Arc<Network>,
    handlers: [Arc<dyn Handler>; 4],
    published: [usize; 3],
    promises: BTreeMap<OrderId, Promise>,
}

impl World {
    pub(super) fn new(rejects: bool) -> Self {
        let clock = Arc::new(Ticking::default());
        let (order_store, rent_store) = (MemoryOrders::default(), MemoryRents::default());
        let (delivery_store, view) = (MemoryDeliveries::default(), Arc::new(MemoryView::default()));
        let suspended = rent::domain::Customer::parse("suspended").into_iter().collect();
        let rents =
            Rents::new(Arc::new(rent_store.clone()), clock.clone(), rent::domain::Policy { suspended });
        let deliveries = Deliveries::new(Arc::new(delivery_store.clone()), clock.clone());
        let network =
            Arc::new(Network { rents: rents.clone(), call: parking_lot::Mutex::new(Call::Answered) });
        let on_rent_unavailable = if rejects { OnRentUnavailable::Reject } else { OnRentUnavailable::Defer };
        let policy = Policy { on_rent_unavailable, ..Policy::default() };
        let orders = Orders::new(Arc::new(order_store.clone()), network.clone(), clock, policy);
        let handlers: [Arc<dyn Handler>; 4] = [
            Arc::new(order::adapters::inbound::events::Events(orders.clone())),
            Arc::new(rent::adapters::inbound::events::Events(rents)),
            Arc::new(delivery::adapters::inbound::events::Events(deliveries.clone())),
            Arc::new(mypage::adapters::inbound::events::Events(view.clone())),
        ];
        Self {
            order_store,
            rent_store,
            delivery_store,
            view,
            bus: MemoryBus::default(),
            orders,
            deliveries,
            network,
            handlers,
            published: [0; 3],
            promises: BTreeMap::new(),
        }
    }

    pub(super) async fn place(&mut self, call: Call, suspended: bool) {
        *self.network.call.lock() = call;
        let command = PlaceOrder {
            item: Item::parse("COSMOS").expect("an item"),
            customer: if suspended { order::domain::Customer::parse("suspended") } else { None },
            idempotency_key: None,
            correlation_id: None,
        };
        let placing = timeout(Duration::from_millis(1), self.orders.place_order(command)).await;
        if let Ok(placed) = placing {
            let order = placed.expect("the store is there");
            self.promises.entry(order.id).or_default().answered = Some(order.state);
        }
    }

    async fn an_order(&self, choice: usize) -> Option<OrderId> {
        let all = self.order_store.scan(OrderId(0), 1000).await.expect("the store is there");
        (!all.is_empty()).then(|| all[choice % all.len()].id)
    }

    pub(super) async fn cancel(&mut self, choice: usize) {
        let Some(id) = self.an_order(choice).await else { return };
        let command = CancelOrder { id, if_version: None, correlation_id: None };
        if self.orders.cancel_order(command).await.is_ok() {
            self.promises.entry(id).or_default().cancel_accepted = true;
        }
    }

    pub(super) async fn hand_over(&mut self, choice: usize) {
        let Some(order) = self.an_order(choice).await else { return };
        let parcel = self.delivery_store.by_order(delivery::domain::OrderId(order.0)).await.expect("a store");
        let Some(id) = parcel.and_then(|parcel| parcel.id) else { return };
        let command = HandOver { id, if_version: None, correlation_id: None };
        if self.deliveries.hand_over(command).await.is_ok() {
            self.promises.entry(order).or_default().handed_over = true;
        }
    }

    /// What a publisher has committed and not published, some of it.
    pub(super) async fn publish(&mut self, publisher: usize, at_most: usize) {
        let said = match publisher {
            0 => self.said_by_order().await,
            1 => self.said_by_rent().await,
            _ => self.said_by_delivery().await,
        };
        let from = self.published[publisher];
        let some: Vec<_> = said.into_iter().skip(from).take(at_most).map(|event| record(&event)).collect();
        self.published[publisher] += some.len();
        self.bus.publish(TOPIC, some).await.expect("published");
    }

    /// Plants a defect: what order has committed is never published.
    pub(super) fn lose_what_order_has_to_say(&mut self) {
        self.published[0] = self.order_store.said().len();
    }

    async fn said_by_order(&self) -> Vec<Event> {
        use order::domain::Fact;
        let mut events = Vec::new();
        for (id, said) in self.order_store.said() {
            let item = Some("COSMOS".to_owned());
            let kind = match said.fact {
                Fact::Ordered => EventKind::Ordered { item },
                Fact::OrderDeferred => EventKind::OrderDeferred { item },
                Fact::OrderRejected => EventKind::OrderRejected { item, reason: None },
                Fact::OrderCancelled => EventKind::OrderCancelled { item },
            };
            events.push(event(kind, id.0, id.0, said.version.0, said.at.0));
        }
        events
    }

    async fn said_by_rent(&self) -> Vec<Event> {
        use rent::domain::Fact;
        let mut events = Vec::new();
        for (order, said) in self.rent_store.said() {
            let rent = self.rent_store.by_order(order).await.expect("a store").expect("a rent");
            let kind = match said.fact {
                Fact::Rented => EventKind::Rented,
                Fact::RentCanceled => EventKind::RentCanceled,
                Fact::RentReinstated => EventKind::RentReinstated,
            };
            events.push(event(kind, rent.id.0, order.0, said.version.0, said.at.0));
        }
        events
    }

    async fn said_by_delivery(&self) -> Vec<Event> {
        use delivery::domain::Fact;
        let mut events = Vec::new();
        for (order, said) in self.delivery_store.said() {
            let parcel = self.delivery_store.by_order(order).await.expect("a store").expect("a delivery");
            let kind = match said.fact {
                Fact::ParcelPrepared => EventKind::ParcelPrepared,
                Fact::ParcelHandedOver => EventKind::ParcelHandedOver,
                Fact::DeliveryCanceled => EventKind::DeliveryCanceled,
                Fact::CancelRejected => EventKind::CancelRejected,
            };
            let id = parcel.id.expect("what speaks has an id").0;
            events.push(event(kind, id, order.0, said.version.0, said.at.0));
        }
        events
    }

    async fn lag(&self, group: usize) -> bool {
        let positions = self.bus.positions(TOPIC, GROUPS[group]).await.expect("positions");
        positions.iter().any(|position| position.committed < position.end)
    }

    /// One batch of a consumer. Without the commit it dies after its transaction: the next one sees it all again.
    pub(super) async fn consume(&mut self, group: usize, at_most: usize, commits: bool) {
        if !self.lag(group).await {
            return;
        }
        let mut subscription = self.bus.subscribe(TOPIC, GROUPS[group]).await.expect("a subscription");
        let records = subscription.next(at_most).await.expect("records");
        self.handlers[group].handle(&records).await.expect("handled");
        if commits {
            subscription.commit().await.expect("committed");
        }
    }

    /// The resume worker for a while.
    pub(super) async fn resume(&mut self, call: Call) {
        *self.network.call.lock() = call;
        let second = Duration::from_secs(1);
        let resuming = Resuming {
            grace: Duration::ZERO,
            idle: second,
            pause: second,
            max_pause: second,
            concurrency: 4,
        };
        let _ = timeout(
            Duration::from_millis(500),
            self.orders.clone().resume_orders(resuming, Arc::new(AlwaysOurs)),
        )
        .await;
    }

    /// Everything works and comes to rest.
    pub(super) async fn settle(&mut self) {
        loop {
            self.resume(Call::Answered).await;
            let before = self.bus.published(TOPIC).len();
            for publisher in 0..3 {
                self.publish(publisher, usize::MAX).await;
            }
            let moved = self.bus.published(TOPIC).len() > before;
            let mut lagged = false;
            for group in 0..4 {
                lagged |= self.lag(group).await;
                self.consume(group, usize::MAX, true).await;
            }
            if !moved && !lagged {
                return;
            }
        }
    }

    pub(super) async fn audit(&self) -> Report {
        let audit = Audit {
            library: Parts {
                orders: Arc::new(self.order_store.clone()),
                rents: Arc::new(self.rent_store.clone()),
                deliveries: Arc::new(self.delivery_store.clone()),
                view: self.view.clone(),
                bus: Arc::new(self.bus.clone()),
                outboxes: Vec::new(),
                topic: TOPIC.to_owned(),
                groups: contracts::GROUPS.map(str::to_owned).into(),
            },
            rebuilt: Arc::new(MemoryView::default()),
            all_running: Arc::new(|| true),
            patience: Duration::ZERO,
        };
        audit.run().await.expect("an audit")
    }

    /// What was answered and did not come true.
    pub(super) async fn broken_promises(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for order in self.order_store.scan(OrderId(0), 1000).await.expect("the store is there") {
            let promise = self.promises.get(&order.id).cloned().unwrap_or_default();
            let parcel =
                self.delivery_store.by_order(delivery::domain::OrderId(order.id.0)).await.expect("a store");
            let shipped = parcel.is_some_and(|parcel| parcel.state == DeliveryState::HandedOver);
            let kept = match (&promise.answered, &order.state) {
                _ if promise.handed_over => order.state == OrderState::Shipped && shipped,
                _ if promise.cancel_accepted => order.state == OrderState::Canceled,
                (Some(OrderState::Rejected(rejection)), state) => {
                    *state == OrderState::Rejected(rejection.clone())
                }
                // 202 ends confirmed, or in a stated refusal by a rule.
                (Some(OrderState::Pending), state) => {
                    matches!(state, OrderState::Ordered | OrderState::Rejected(Rejection::Rule(_)))
                }
                (Some(_), state) => *state == OrderState::Ordered,
                (None, state) => matches!(state, OrderState::Ordered | OrderState::Rejected(_)),
            };
            if !kept {
                broken.push(format!("{promise:?} became {:?}", order.state));
            }
        }
        broken
    }
}

fn event(kind: EventKind, id: i64, order_id: i64, version: i64, at: i64) -> Event {
    let event_id = format!("{}-{id}-{version}", kind.event_type());
    let (correlation_id, customer) = (None, None);
    let (version, occurred_at) = (Some(version), Some(Timestamp(at)));
    Event { order_id, id, kind, event_id, version, correlation_id, customer, occurred_at }
}

fn record(event: &Event) -> NewRecord {
    NewRecord {
        key: Some(contracts::key(event.order_id)),
        headers: Headers::new(contracts::headers(event)),
        value: event.encode(&WireClock::default()),
    }
}
