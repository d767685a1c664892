//! The library as four processes on real files, put together as the program does it.

use std::{path::Path, sync::Arc, time::Duration};

use contracts::{GROUPS, TOPIC, WireClock};
use delivery::{
    adapters::outbound::sqlite::SqliteDeliveries,
    application::{Deliveries, ports::DeliveryStore},
};
use mypage::{adapters::outbound::redb::RedbView, query::View};
use order::{
    adapters::outbound::{guarded_desk::GuardedDesk, sqlite::SqliteOrders},
    application::{
        OnRentUnavailable, Orders, Policy, Resuming,
        ports::{AlwaysOurs, OrderStore},
    },
};
use parking_lot::Mutex;
use platform_event_bus::{Consumed, Consumer, Handler};
use platform_outbox::{Outbox, Relay};
use platform_resilience::{Guard, GuardConfig};
use platform_storage::LogBus;
use rent::{
    adapters::outbound::sqlite::SqliteRents,
    application::{Rents, ports::RentStore},
};
use tokio::sync::Notify;

use super::{
    Defect,
    clock::SkewedClock,
    events::{FaultyBus, FaultyOutbox},
    fate::{Fate, Life, Who, at_once},
    network::Network,
    processes::{Running, StoreFiles, Up, kill},
    stores::{Faulty, Kept},
};

/// As on one machine: what a relay and a consumer rest between two batches, and how long the view may be unsettled.
const GATHER: Duration = Duration::from_millis(15);
const SETTLE_VIEW: Duration = Duration::from_millis(250);

/// How a library is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) rejects: bool,
    pub(super) gathers: bool,
    pub(super) partitions: u32,
    /// Most records of a transaction.
    pub(super) batch: usize,
    /// How far the clocks of the processes are apart, at most, in milliseconds.
    pub(super) skew: u64,
    /// What a client waits before a command, at most, in milliseconds.
    pub(super) pause: u64,
}
/// The library. Clones are the same.
#[derive(Clone)]
pub(super) struct Library {
    pub(super) fate: Fate,
    pub(super) setting: Setting,
    pub(super) bus: LogBus,
    pub(super) running: Arc<Mutex<Running>>,
    pub(super) consumed: Arc<Consumed>,
    folder: Arc<Path>,
    news: Arc<Notify>,
}
/// Opens a file of `folder`, of a process that has just died perhaps.
pub(super) fn open<T: Send + 'static, E: std::fmt::Debug + Send + 'static>(
    folder: &Path,
    name: &str,
    open: impl FnOnce(&Path) -> Result<T, E> + Send + 'static,
) -> T {
    let path = folder.join(name);
    at_once(async move { open(&path) }).expect("a store")
}

pub(super) fn open_orders(folder: &Path) -> SqliteOrders {
    open(folder, "order.db", |path| SqliteOrders::open(path, WireClock::default()))
}

pub(super) fn open_rents(folder: &Path) -> SqliteRents {
    open(folder, "rent.db", |path| SqliteRents::open(path, WireClock::default()))
}

pub(super) fn open_deliveries(folder: &Path) -> SqliteDeliveries {
    open(folder, "delivery.db", |path| SqliteDeliveries::open(path, WireClock::default()))
}

pub(super) fn open_view(folder: &Path) -> Arc<RedbView> {
    Arc::new(open(folder, "mypage.redb", RedbView::open))
}

impl Library {
    /// Nothing of it runs yet.
    pub(super) fn new(fate: &Fate, setting: Setting, folder: &Path) -> Self {
        let partitions = Some(setting.partitions);
        Self {
            fate: fate.clone(),
            setting,
            bus: open(folder, "bus.db", move |path| LogBus::open(path, partitions)),
            running: Arc::default(),
            consumed: Arc::default(),
            folder: folder.into(),
            news: Arc::default(),
        }
    }

    /// See [`kill`].
    pub(super) async fn kill(&self, who: Who) {
        kill(&self.running, who).await;
    }

    pub(super) fn start(&self, who: Who) {
        self.fate.say(format_args!("{who:?} starts"));
        let life = Life::new(&self.fate, who);
        match who {
            Who::Order => self.start_order(life),
            Who::Rent => self.start_rent(life),
            Who::Delivery => self.start_delivery(life),
            Who::Mypage => self.start_mypage(life),
        }
    }

    fn clock(&self) -> Arc<SkewedClock> {
        let skew = i64::try_from(self.fate.below(self.setting.skew + 1)).expect("a small number");
        Arc::new(SkewedClock { fate: self.fate.clone(), skew })
    }

    fn start_order(&self, life: Life) {
        let store = open_orders(&self.folder);
        let (kept, outbox) =
            (Kept::<dyn OrderStore>::new(Arc::new(store.clone())), kept_outbox(store.outbox()));
        let written = Arc::new(Notify::new());
        let network = Network { life: life.clone(), running: Arc::clone(&self.running) };
        // The breaker's rest is measured on a clock that is not the simulation's: here it has none, so it never rejects.
        let guard =
            Guard::new("rent", GuardConfig { open_for: Duration::from_nanos(1), ..GuardConfig::default() });
        let desk = Arc::new(GuardedDesk::new(Arc::new(network), guard));
        let on_rent_unavailable =
            if self.setting.rejects { OnRentUnavailable::Reject } else { OnRentUnavailable::Defer };
        let policy = Policy { on_rent_unavailable, ..Policy::default() };
        let faulty = Faulty { life: life.clone(), kept: kept.clone(), written: Arc::clone(&written) };
        let orders = Orders::new(Arc::new(faulty), desk, self.clock(), policy);
        let orders = if self.setting.gathers { orders.with_gathered_calls() } else { orders };
        let files = StoreFiles { store: kept, outbox: outbox.clone(), pending: |store| store.pending() };
        let up = Up::new(orders.clone(), life, files);
        self.consume(&up, Arc::new(order::adapters::inbound::events::Events(orders.clone())), Duration::ZERO);
        self.relay(&up, outbox, written);
        if !self.fate.has(Defect::ForgetsPending) {
            up.run(orders.resume_orders(Resuming::default(), Arc::new(AlwaysOurs)));
        }
        self.running.lock().order = Some(up);
    }

    fn start_rent(&self, life: Life) {
        let store = open_rents(&self.folder);
        let (kept, outbox) =
            (Kept::<dyn RentStore>::new(Arc::new(store.clone())), kept_outbox(store.outbox()));
        let written = Arc::new(Notify::new());
        let faulty = Faulty { life: life.clone(), kept: kept.clone(), written: Arc::clone(&written) };
        let suspended = rent::domain::Customer::parse("suspended").into_iter().collect();
        let rents = Rents::new(Arc::new(faulty), self.clock(), rent::domain::Policy { suspended });
        let files = StoreFiles { store: kept, outbox: outbox.clone(), pending: |_| 0 };
        let up = Up::new(rents.clone(), life, files);
        self.consume(&up, Arc::new(rent::adapters::inbound::events::Events(rents)), Duration::ZERO);
        self.relay(&up, outbox, written);
        if self.fate.has(Defect::PanicsUnmissed) {
            up.run(async { panic!("planted") });
        }
        self.running.lock().rent = Some(up);
    }

    fn start_delivery(&self, life: Life) {
        let store = open_deliveries(&self.folder);
        let (kept, outbox) =
            (Kept::<dyn DeliveryStore>::new(Arc::new(store.clone())), kept_outbox(store.outbox()));
        let written = Arc::new(Notify::new());
        let faulty = Faulty { life: life.clone(), kept: kept.clone(), written: Arc::clone(&written) };
        let deliveries = Deliveries::new(Arc::new(faulty), self.clock());
        let files = StoreFiles { store: kept, outbox: outbox.clone(), pending: |_| 0 };
        let up = Up::new(deliveries.clone(), life, files);
        let handler = Arc::new(delivery::adapters::inbound::events::Events(deliveries));
        self.consume(&up, handler, Duration::ZERO);
        self.relay(&up, outbox, written);
        self.running.lock().delivery = Some(up);
    }

    fn start_mypage(&self, life: Life) {
        let kept = Kept::<dyn View>::new(open_view(&self.folder));
        let faulty = Faulty { life: life.clone(), kept: kept.clone(), written: Arc::default() };
        let up = Up::new((), life, kept);
        let handler = Arc::new(mypage::adapters::inbound::events::Events(Arc::new(faulty)));
        self.consume(&up, handler, SETTLE_VIEW);
        self.running.lock().mypage = Some(up);
    }

    fn bus(&self, life: &Life) -> Arc<FaultyBus> {
        Arc::new(FaultyBus { life: life.clone(), bus: self.bus.clone(), news: Arc::clone(&self.news) })
    }

    fn consume<T>(&self, up: &Up<T>, handler: Arc<dyn Handler>, settle_after: Duration) {
        let consumer = Consumer {
            bus: self.bus(&up.life),
            topic: TOPIC.to_owned(),
            group: GROUPS[up.life.who as usize].to_owned(),
            handler,
            batch: self.setting.batch,
            gather: GATHER,
            settle_after,
            consumed: Arc::clone(&self.consumed),
        };
        up.run(consumer.run(std::future::pending()));
    }

    fn relay<T>(&self, up: &Up<T>, kept: Kept<dyn Outbox>, written: Arc<Notify>) {
        let outbox = Arc::new(FaultyOutbox { life: up.life.clone(), kept, written });
        let relay = Relay { outbox, bus: self.bus(&up.life), topic: TOPIC.to_owned(), gather: GATHER };
        up.run(relay.run());
    }
}

fn kept_outbox(outbox: impl Outbox) -> Kept<dyn Outbox> {
    Kept::new(Arc::new(outbox))
}
