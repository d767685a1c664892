//! All contexts on fakes, with the test as their relay, their consumer loop and their network.

mod keys;
mod network;
mod promise;
mod said;
mod store;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use contracts::TOPIC;
use delivery::{
    adapters::outbound::memory::MemoryDeliveries,
    application::{Deliveries, HandOver, ports::DeliveryStore as _},
    domain::DeliveryState,
};
use futures_util::future::join_all;
use mypage::adapters::outbound::memory::MemoryView;
use order::{
    adapters::outbound::memory::MemoryOrders,
    application::{
        CancelOrder, OnRentUnavailable, Orders, Policy, Resuming,
        ports::{AlwaysOurs, OrderStore as _},
    },
    domain::{Order, OrderId},
};
use platform_event_bus::{EventBus as _, Handler, memory::MemoryBus};
use rent::{adapters::outbound::memory::MemoryRents, application::Rents};
use rentalbook::{
    audit::{Audit, Report},
    parts::Parts,
};
use tokio::time::timeout;

pub(super) use keys::{Wish, of_two_orders};
use network::Network;
pub(super) use network::{Call, answer, command};
pub(super) use promise::Promise;
use said::record;
pub(super) use store::Death;
use store::{Fate, Yielding};

const GROUPS: [&str; 4] = contracts::GROUPS;

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

/// A defect that is planted: what is wrong between the parts, whose decisions are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    /// The store forgets which order an Idempotency-Key is of.
    ForgetsKeys,
}

/// How a library is set up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Setting {
    /// Whether an order is refused where rent does not answer.
    pub(super) rejects: bool,
    /// Whether orders that are placed together ask rent together.
    pub(super) gathers: bool,
    pub(super) defect: Option<Defect>,
}

pub(super) struct World {
    setting: Setting,
    order_store: MemoryOrders,
    rent_store: MemoryRents,
    delivery_store: MemoryDeliveries,
    view: Arc<MemoryView>,
    bus: MemoryBus,
    orders: Orders,
    /// Of the process that has the orders.
    fate: Fate,
    deliveries: Deliveries,
    network: Arc<Network>,
    handlers: [Arc<dyn Handler>; 4],
    published: [usize; 3],
    promises: BTreeMap<OrderId, Promise>,
    /// What was answered wrongly at once.
    broken: Vec<String>,
}

impl World {
    pub(super) fn new(setting: Setting) -> Self {
        let clock = Arc::new(Ticking::default());
        let (order_store, rent_store) = (MemoryOrders::default(), MemoryRents::default());
        let (delivery_store, view) = (MemoryDeliveries::default(), Arc::new(MemoryView::default()));
        let suspended = rent::domain::Customer::parse("suspended").into_iter().collect();
        let rents =
            Rents::new(Arc::new(rent_store.clone()), clock.clone(), rent::domain::Policy { suspended });
        let deliveries = Deliveries::new(Arc::new(delivery_store.clone()), clock.clone());
        let network =
            Arc::new(Network { rents: rents.clone(), call: parking_lot::Mutex::new(Call::Answered) });
        let on_rent_unavailable =
            if setting.rejects { OnRentUnavailable::Reject } else { OnRentUnavailable::Defer };
        let policy = Policy { on_rent_unavailable, ..Policy::default() };
        let fate = Fate::default();
        let forgets_keys = setting.defect == Some(Defect::ForgetsKeys);
        let store = Yielding { store: order_store.clone(), fate: fate.clone(), forgets_keys };
        let orders = Orders::new(Arc::new(store), network.clone(), clock, policy);
        let orders = if setting.gathers { orders.with_gathered_calls() } else { orders };
        let handlers: [Arc<dyn Handler>; 4] = [
            Arc::new(order::adapters::inbound::events::Events(orders.clone())),
            Arc::new(rent::adapters::inbound::events::Events(rents)),
            Arc::new(delivery::adapters::inbound::events::Events(deliveries.clone())),
            Arc::new(mypage::adapters::inbound::events::Events(view.clone())),
        ];
        Self {
            setting,
            order_store,
            rent_store,
            delivery_store,
            view,
            bus: MemoryBus::default(),
            orders,
            fate,
            deliveries,
            network,
            handlers,
            published: [0; 3],
            promises: BTreeMap::new(),
            broken: Vec::new(),
        }
    }

    /// Requests at the same moment.
    pub(super) async fn place(&mut self, call: Call, wishes: &[Wish]) {
        *self.network.call.lock() = call;
        let before = self.all_orders().await;
        let placing = wishes.iter().map(|wish| {
            let placing = self.orders.place_order(wish.command());
            timeout(Duration::from_millis(10), placing)
        });
        let answers: Vec<_> = join_all(placing).await.into_iter().map(Result::ok).collect();
        let after = self.all_orders().await;
        self.broken.extend(keys::broken(&before, &after, wishes, &answers, self.fate.has_come()));
        for order in answers.into_iter().flatten().flatten() {
            self.promises.entry(order.id).or_default().answered.push(order.state);
        }
    }

    async fn all_orders(&self) -> Vec<Order> {
        self.order_store.scan(OrderId(0), 1000).await.expect("the store is there")
    }

    async fn an_order(&self, choice: usize) -> Option<OrderId> {
        let all = self.all_orders().await;
        (!all.is_empty()).then(|| all[choice % all.len()].id)
    }

    /// The process that has the orders dies.
    pub(super) fn die(&mut self, death: Death) {
        self.fate.set(Some(death));
    }

    pub(super) async fn cancel(&mut self, choice: usize) {
        let Some(id) = self.an_order(choice).await else { return };
        let command = CancelOrder { id, if_version: None, correlation_id: None };
        let cancelled = timeout(Duration::from_millis(10), self.orders.cancel_order(command)).await;
        match cancelled {
            Ok(Ok(_)) => self.promises.entry(id).or_default().cancel_accepted = true,
            Ok(Err(_)) => {}
            // The process died, perhaps after it had written that.
            Err(_elapsed) => self.promises.entry(id).or_default().cancel_unanswered = true,
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

    /// A relay has died before it removed what it had published: the next one publishes it again.
    pub(super) fn forget_published(&mut self, publisher: usize, back: usize) {
        let published = &mut self.published[publisher];
        *published = published.saturating_sub(back);
    }

    /// Plants a defect: what order has committed is never published.
    pub(super) fn lose_what_order_has_to_say(&mut self) {
        self.published[0] = self.order_store.said().len();
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
        let handling = self.handlers[group].handle(&records);
        let Ok(handled) = timeout(Duration::from_millis(10), handling).await else { return };
        handled.expect("handled");
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
            ..Resuming::default()
        };
        let _ = timeout(
            Duration::from_millis(500),
            self.orders.clone().resume_orders(resuming, Arc::new(AlwaysOurs)),
        )
        .await;
    }

    /// Everything works and comes to rest.
    pub(super) async fn settle(&mut self) {
        self.fate.set(None);
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
        let mut broken = self.broken.clone();
        let orders = self.all_orders().await;
        broken.extend(keys::of_two_orders(&orders));
        for order in orders {
            let promise = self.promises.get(&order.id).cloned().unwrap_or_default();
            let parcel =
                self.delivery_store.by_order(delivery::domain::OrderId(order.id.0)).await.expect("a store");
            let shipped = parcel.is_some_and(|parcel| parcel.state == DeliveryState::HandedOver);
            if !promise.is_kept(&order.state, shipped, self.setting.rejects) {
                broken.push(format!("{promise:?} became {:?}", order.state));
            }
        }
        broken
    }
}
