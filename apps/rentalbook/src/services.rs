//! What each service is made of, in both wirings: its use cases around a store, its routes, its tasks.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use delivery::application::{Deliveries, ports::DeliveryStore};
use gateway::OriginError;
use mypage::query::View;
use order::{
    adapters::outbound::guarded_desk::GuardedDesk,
    application::{
        Orders, Policy,
        ports::{OrderStore, RentDesk, Turn},
    },
};
use platform_event_bus::{Consumed, Consumer, EventBus, Handler};
use platform_http::{About, Health, HealthCheck, Limited, Limits, Scrape, actuator};
use platform_outbox::{Outbox, Relay};
use platform_resilience::{Guard, Pressure, PressureConfig};
use platform_telemetry::Meters;
use rent::application::{Rents, ports::RentStore};
use serde_json::json;
use tower::{Layer as _, util::Either};

use crate::{
    config::Config,
    door::Door,
    faults::{self, Faults, FaultyBus, FaultyDesk},
    meters,
    service::{App, Service, Stopping, Task},
    version,
    watched_stores::WatchedStore,
};

/// How a service has its part in the events.
#[derive(Clone)]
pub(crate) struct Events {
    /// Where they are.
    pub(crate) bus: Arc<dyn EventBus>,
    /// On which topic.
    pub(crate) topic: String,
    /// What the group's name begins with, before the service's name.
    pub(crate) group_prefix: String,
    /// How long relays and consumers gather between two batches. Shorter costs processor time; longer delays events,
    /// which pass through two relays and two consumers until the customer sees a parcel.
    pub(crate) gather: Duration,
    /// Whether the outboxes know how long their oldest event has waited.
    pub(crate) know_age: bool,
    /// How many partitions this process reads, where it shares them with others.
    pub(crate) reading: Option<Reading>,
}

/// See [`Events::reading`].
pub(crate) type Reading = Arc<dyn Fn() -> usize + Send + Sync>;

/// What every service gets.
pub(crate) struct Base<'c> {
    /// The settings.
    pub(crate) config: &'c Config,
    /// Where it listens.
    pub(crate) port: u16,
    /// Who may know whether it is open.
    pub(crate) door: Arc<Door>,
    /// Whether its own store answers; what others do is their readiness.
    pub(crate) health: HealthCheck,
    /// How many transactions there were on its store, and how many writes in them.
    pub(crate) commits: Option<Commits>,
    /// How many writes its store bears, where it has one that says so.
    pub(crate) pressure: Option<Pressure>,
    /// The faults that are switched over HTTP: those of a process of its own in a drill.
    pub(crate) switch: Option<Faults>,
}

/// See [`Base::commits`].
pub(crate) type Commits = Arc<dyn Fn() -> (u64, u64) + Send + Sync>;

/// Most records that a consumer handles in one transaction.
const BATCH: usize = 2048;

/// The bus as the services use it.
pub(crate) fn bus(config: &Config, bus: Arc<dyn EventBus>) -> Arc<dyn EventBus> {
    match config.faults.clone() {
        Some(faults) => Arc::new(FaultyBus { bus, faults }),
        None => bus,
    }
}

/// 대여: its use cases. Whoever asks it in the same process needs them before its service is made.
pub(crate) fn rents(config: &Config, store: Arc<dyn RentStore>, pressure: Pressure) -> Rents {
    let store = Arc::new(WatchedStore::new(store, pressure, config.faults.clone()));
    Rents::new(store, Arc::new(rent::adapters::outbound::clock::SystemClock), config.rents.clone())
}

/// What order needs.
pub(crate) struct OrderParts {
    /// Its store.
    pub(crate) store: Arc<dyn OrderStore>,
    /// What it says.
    pub(crate) outbox: Arc<dyn Outbox>,
    /// Rent.
    pub(crate) desk: Arc<dyn RentDesk>,
    /// Whose turn it is to resume orders, for every start anew: who has stopped does not wait for it.
    pub(crate) turn: Box<dyn Fn() -> Arc<dyn Turn> + Send + Sync>,
}

/// 대여요청.
pub(crate) fn order(mut base: Base<'_>, parts: OrderParts, events: &Events) -> Service {
    let OrderParts { store, outbox, mut desk, turn } = parts;
    let store: Arc<dyn OrderStore> =
        Arc::new(WatchedStore::new(store, base.under_pressure(), base.config.faults.clone()));
    if let Some(faults) = base.config.faults.clone() {
        desk = Arc::new(FaultyDesk { desk, faults });
    }
    let meters = Arc::new(Meters::new("order"));
    let asking = base.config.guard_of_rent();
    let guard = Guard::new("rent", asking);
    base.health = with_breaker(base.health, guard.clone());
    meters::of_orders(&meters, Arc::clone(&store), guard.clone());
    let desk = Arc::new(GuardedDesk::new(desk, guard));
    let clock = Arc::new(order::adapters::outbound::clock::SystemClock);
    let policy = Policy { call_deadline: asking.deadline, ..base.config.orders };
    let orders = Orders::new(store, desk, clock, policy).with_gathered_calls();
    let router = order::adapters::inbound::rest::router(orders.clone());
    let handler = Arc::new(order::adapters::inbound::events::Events(orders.clone()));
    let consume = events.consumer(&meters, "order", handler, Duration::ZERO);
    let relay = events.relay(&meters, outbox);
    let resuming = base.config.resuming;
    base.service("order", &meters, router, move |stopping| {
        let resume = orders.clone().resume_orders(resuming, turn());
        vec![consume(stopping), relay(stopping), stopping.end(resume)]
    })
}

/// 대여.
pub(crate) fn rent(base: Base<'_>, rents: Rents, outbox: Arc<dyn Outbox>, events: &Events) -> Service {
    let meters = Arc::new(Meters::new("rent"));
    let router = rent::adapters::inbound::rest::router(rents.clone());
    let handler = Arc::new(rent::adapters::inbound::events::Events(rents));
    let consume = events.consumer(&meters, "rent", handler, Duration::ZERO);
    let relay = events.relay(&meters, outbox);
    base.service("rent", &meters, router, move |stopping| vec![consume(stopping), relay(stopping)])
}

/// 배송.
pub(crate) fn delivery(
    mut base: Base<'_>,
    store: Arc<dyn DeliveryStore>,
    outbox: Arc<dyn Outbox>,
    events: &Events,
) -> Service {
    let store = Arc::new(WatchedStore::new(store, base.under_pressure(), base.config.faults.clone()));
    let meters = Arc::new(Meters::new("delivery"));
    let deliveries = Deliveries::new(store, Arc::new(delivery::adapters::outbound::clock::SystemClock));
    let router = delivery::adapters::inbound::rest::router(deliveries.clone());
    let handler = Arc::new(delivery::adapters::inbound::events::Events(deliveries));
    let consume = events.consumer(&meters, "delivery", handler, Duration::ZERO);
    let relay = events.relay(&meters, outbox);
    base.service("delivery", &meters, router, move |stopping| vec![consume(stopping), relay(stopping)])
}

/// 내 대여 현황. What was handled is settled after `settle_after`. `further` are tasks that the view needs.
pub(crate) fn mypage(
    base: Base<'_>,
    view: Arc<dyn View>,
    settle_after: Duration,
    events: &Events,
    further: impl Fn(&Stopping) -> Vec<Task> + Send + Sync + 'static,
) -> Service {
    let meters = Arc::new(Meters::new("mypage"));
    let router = mypage::adapters::inbound::rest::router(Arc::clone(&view));
    let handler = Arc::new(mypage::adapters::inbound::events::Events(view));
    let consume = events.consumer(&meters, "mypage", handler, settle_after);
    base.service("mypage", &meters, router, move |stopping| {
        let mut tasks = further(stopping);
        tasks.push(consume(stopping));
        tasks
    })
}

/// 게이트웨이. It needs nobody to be ready: it answers for those who are not.
///
/// # Errors
/// Where one of the web origins is none.
pub(crate) fn gateway(base: Base<'_>, router: Router) -> Result<Service, OriginError> {
    let config = base.config;
    // Around everything else: a page may read a refusal, too.
    let meters = Arc::new(Meters::new("gateway"));
    let with_cors = |limited| gateway::with_cors(limited, &config.cors_origins);
    let service = base.service_with("gateway", &meters, router, |_| Vec::new(), with_cors)?;
    Ok(service.believing(config.trusted_proxies.clone()))
}

impl Base<'_> {
    /// Makes the service take on as many writes as the store bears that is told so.
    pub(crate) fn under_pressure(&mut self) -> Pressure {
        // Some places are left for reads, which are turned away last.
        let most = self.config.limits.in_flight - self.config.limits.in_flight / 8;
        let pressure = Pressure::new(PressureConfig { most, ..self.config.pressure });
        self.pressure.insert(pressure).clone()
    }

    fn service(
        self,
        name: &'static str,
        meters: &Arc<Meters>,
        router: Router,
        tasks: impl Fn(&Stopping) -> Vec<Task> + Send + Sync + 'static,
    ) -> Service {
        let service = self.service_with(name, meters, router, tasks, |limited| Ok(Either::Left(limited)));
        service.unwrap_or_else(|never: Infallible| match never {})
    }

    /// The same with something around all of it.
    fn service_with<E>(
        self,
        name: &'static str,
        meters: &Arc<Meters>,
        router: Router,
        tasks: impl Fn(&Stopping) -> Vec<Task> + Send + Sync + 'static,
        around: impl FnOnce(Limited<Router>) -> Result<App, E>,
    ) -> Result<Service, E> {
        // What every service has around its resources: actuator, limits, request id, metrics.
        let about = About { name, version: version::VERSION, commit: Some(version::COMMIT) };
        let read = Arc::clone(meters);
        let scrape = Scrape::new(move || {
            let meters = Arc::clone(&read);
            async move { meters.text().await }
        });
        let health = ready_while_open(Arc::clone(&self.door), self.health);
        let limits = Limits { pressure: self.pressure.clone(), ..self.config.limits.clone() };
        let switch = self.switch.map(faults::routes).unwrap_or_default();
        let limited = limits.layer(router.merge(actuator(about, health, scrape)).merge(switch));
        let in_flight = limited.in_flight();
        meters::of_requests(meters, &limited.requests(), move || in_flight.count());
        if let Some(pressure) = self.pressure {
            meters::of_pressure(meters, move || pressure.limit());
        }
        if let Some(commits) = self.commits {
            meters::of_commits(meters, move || commits());
        }
        let address = SocketAddr::new(self.config.bind, self.port);
        Ok(Service::new(name, address, self.door, around(limited)?, tasks))
    }
}

/// Who has been asked to stop is not ready, however well it is.
fn ready_while_open(door: Arc<Door>, health: HealthCheck) -> HealthCheck {
    HealthCheck::new(move || {
        let (door, health) = (Arc::clone(&door), health.clone());
        async move { if door.is_open() { health.ask().await } else { Health::down() } }
    })
}

/// Order is as well as its store, whatever rent is; but what it makes of rent is to be seen.
fn with_breaker(health: HealthCheck, guard: Guard) -> HealthCheck {
    HealthCheck::new(move || {
        let (health, breaker) = (health.clone(), guard.breaker());
        async move {
            let mut shown = json!({ "state": breaker.state.word(), "forSeconds": breaker.lasts.as_secs() });
            if let Some(reason) = breaker.reason {
                shown["reason"] = reason.into();
            }
            health.ask().await.with("rentBreaker", shown)
        }
    })
}

/// A health check that asks nobody but a function that answers at once.
pub(crate) fn ready_when(is_ready: impl Fn() -> bool + Send + Sync + 'static) -> HealthCheck {
    HealthCheck::new(move || {
        let health = if is_ready() { Health::up() } else { Health::down() };
        async move { health }
    })
}

/// A health check that asks the view.
pub(crate) fn ready_with(view: Arc<dyn View>) -> HealthCheck {
    HealthCheck::new(move || {
        let view = Arc::clone(&view);
        async move { if view.ready().await.is_ok() { Health::up() } else { Health::down() } }
    })
}

impl Events {
    /// A consumer for every start of its service.
    fn consumer(
        &self,
        meters: &Meters,
        name: &str,
        handler: Arc<dyn Handler>,
        settle_after: Duration,
    ) -> impl Fn(&Stopping) -> Task + Send + Sync + use<> {
        let events = self.clone();
        let group = format!("{}{name}", self.group_prefix);
        let consumed = Arc::<Consumed>::default();
        meters::of_group(meters, &self.bus, &self.topic, &group, &consumed);
        if let Some(reading) = self.reading.clone() {
            meters::of_partitions(meters, &group, move || reading());
        }
        move |stopping| {
            let consumer = Consumer {
                bus: Arc::clone(&events.bus),
                topic: events.topic.clone(),
                group: group.clone(),
                handler: Arc::clone(&handler),
                batch: BATCH,
                gather: events.gather,
                settle_after,
                consumed: Arc::clone(&consumed),
            };
            Box::pin(consumer.run(stopping.clone().told()))
        }
    }

    /// A relay of `outbox` for every start of its service.
    fn relay(
        &self,
        meters: &Meters,
        outbox: Arc<dyn Outbox>,
    ) -> impl Fn(&Stopping) -> Task + Send + Sync + use<> {
        let events = self.clone();
        meters::of_outbox(meters, &outbox, self.know_age);
        move |stopping| {
            let relay = Relay {
                outbox: Arc::clone(&outbox),
                bus: Arc::clone(&events.bus),
                topic: events.topic.clone(),
                gather: events.gather,
            };
            stopping.end(relay.run())
        }
    }
}
