//! The wiring for one machine: all five services in one process, on files. Read it from top to bottom.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::Router;
use contracts::TOPIC;
use delivery::application::Deliveries;
use gateway::Upstream;
use mypage::query::View as _;
use order::{
    adapters::outbound::guarded_desk::GuardedDesk,
    application::{Orders, ports::AlwaysOurs},
};
use platform_event_bus::{Consumed, Consumer, EventBus, Handler};
use platform_http::{About, Health, HealthCheck, Scrape, actuator};
use platform_outbox::{Outbox, Relay};
use platform_resilience::Guard;
use platform_telemetry::Meters;
use rent::application::Rents;
use tokio::task::JoinHandle;
use tower::Layer as _;

use crate::{
    cli::ServiceArg,
    config::Config,
    control,
    data_folder::{DataFolder, FolderError},
    door::Door,
    in_process_rent::InProcessRent,
    meters,
    scratch::Scratch,
    service::{Service, Stopping, Task},
    stores::{Stores, StoresError},
    tools::Toolbox,
    version,
};

/// Why the library does not start; its text is one sentence.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file in it.
    #[error(transparent)]
    Stores(#[from] StoresError),
    /// A port.
    #[error(transparent)]
    Port(#[from] platform_http::BindError),
    /// The control socket.
    #[error(transparent)]
    Control(#[from] control::ControlError),
    /// A web origin.
    #[error(transparent)]
    Origin(#[from] gateway::OriginError),
}

/// The five services.
pub struct Services([Service; 5]);

impl Services {
    /// One of them.
    #[must_use]
    pub fn get(&self, service: ServiceArg) -> &Service {
        let [order, rent, delivery, mypage, gateway] = &self.0;
        match service {
            ServiceArg::Order => order,
            ServiceArg::Rent => rent,
            ServiceArg::Delivery => delivery,
            ServiceArg::Mypage => mypage,
            ServiceArg::Gateway => gateway,
        }
    }

    /// All of them, the gateway last.
    pub fn iter(&self) -> impl Iterator<Item = &Service> {
        self.0.iter()
    }

    /// Whether all are started.
    #[must_use]
    pub fn all_open(&self) -> bool {
        self.0.iter().all(Service::is_open)
    }
}

/// A running library.
pub struct Library {
    services: Arc<Services>,
    control: JoinHandle<()>,
    toolbox: Arc<Toolbox>,
    // Dropped last: the files are closed when nobody else may open them yet.
    _folder: Arc<DataFolder>,
}

/// How long relays and consumers gather between two batches. Shorter costs processor time; longer delays events,
/// which pass through two relays and two consumers until the customer sees a parcel.
const GATHER: Duration = Duration::from_millis(15);

/// How long mypage's view may be ahead of what is durable of it: its syncs would take the disk from the others sixty
/// times a second, for something that the topic has as well.
const SETTLE_VIEW: Duration = Duration::from_millis(250);

/// Most records that a consumer handles in one transaction.
const BATCH: usize = 2048;

impl Library {
    /// Opens the data folder, wires the services and starts them. Whoever does not wait for the end of it any more
    /// has lost nothing: it is the same as a process that was killed.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let folder = Arc::new(DataFolder::open(&config.data)?);
        let stores = Stores::open(&folder, &config.wire_clock, config.partitions).await?;
        let services = Arc::new(wire(&config, &stores)?);
        let toolbox =
            Toolbox { stores, scratch: Scratch::of(&folder), services: Some(Arc::clone(&services)) };
        let toolbox = Arc::new(toolbox);
        let listener = control::listen(folder.path())?;
        let mut library = Self {
            control: tokio::spawn(control::serve(listener, Arc::clone(&toolbox))),
            services,
            toolbox,
            _folder: folder,
        };
        if let Err(error) = library.start_services().await {
            library.stop_services().await;
            return Err(error.into());
        }
        Ok(library)
    }

    async fn start_services(&mut self) -> Result<(), platform_http::BindError> {
        // Order asks rent, and the gateway asks everybody: nobody is asked before he is there.
        use ServiceArg::{Delivery, Gateway, Mypage, Order, Rent};
        for service in [Rent, Delivery, Mypage, Order, Gateway] {
            self.services.get(service).start().await?;
        }
        Ok(())
    }

    async fn stop_services(&mut self) {
        self.control.abort();
        let _ = (&mut self.control).await;
        // The door first, so that nothing new comes in; then order, which asks rent for what it has taken.
        self.services.get(ServiceArg::Gateway).stop().await;
        self.services.get(ServiceArg::Order).stop().await;
        let services: Vec<_> = self.services.iter().map(Service::stop).collect();
        futures_util::future::join_all(services).await;
    }

    /// The services.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// The tools, on this library.
    #[must_use]
    pub fn toolbox(&self) -> &Arc<Toolbox> {
        &self.toolbox
    }

    /// Where a service listens.
    pub async fn address(&self, service: ServiceArg) -> SocketAddr {
        self.services.get(service).address().await
    }

    /// Lets requests under way finish, and closes everything.
    pub async fn stop(mut self) {
        self.stop_services().await;
    }

    /// Where its state is.
    #[must_use]
    pub fn data(&self) -> &Path {
        self._folder.path()
    }
}

/// Who calls whom.
fn wire(config: &Config, stores: &Stores) -> Result<Services, StartError> {
    let doors: [Arc<Door>; 5] = Default::default();
    let [order_door, rent_door, delivery_door, mypage_door, gateway_door] = doors;
    let [order_meters, rent_meters, delivery_meters, mypage_meters, gateway_meters] =
        ["order", "rent", "delivery", "mypage", "gateway"].map(|service| Arc::new(Meters::new(service)));

    let clock = Arc::new(rent::adapters::outbound::clock::SystemClock);
    let rents = Rents::new(Arc::new(stores.rents.clone()), clock, config.rents.clone());

    let clock = Arc::new(delivery::adapters::outbound::clock::SystemClock);
    let deliveries = Deliveries::new(Arc::new(stores.deliveries.clone()), clock);

    let desk = InProcessRent { rents: rents.clone(), door: Arc::clone(&rent_door) };
    let guard = Guard::new(config.rent_guard);
    let desk = GuardedDesk::new(Arc::new(desk), guard.clone());
    let clock = Arc::new(order::adapters::outbound::clock::SystemClock);
    let orders = Orders::new(Arc::new(stores.orders.clone()), Arc::new(desk), clock, config.orders)
        .with_gathered_calls();

    let order_router = order::adapters::inbound::rest::router(orders.clone());
    let rent_router = rent::adapters::inbound::rest::router(rents.clone());
    let delivery_router = delivery::adapters::inbound::rest::router(deliveries.clone());
    let mypage_router = mypage::adapters::inbound::rest::router(stores.view.clone());
    // A service is ready when its own store answers; what others do is their readiness.
    let store = stores.orders.clone();
    let order_router =
        with_surroundings(order_router, "order", config, ready_when(move || store.is_ready()), &order_meters);
    let store = stores.rents.clone();
    let rent_router =
        with_surroundings(rent_router, "rent", config, ready_when(move || store.is_ready()), &rent_meters);
    let store = stores.deliveries.clone();
    let delivery_router = with_surroundings(
        delivery_router,
        "delivery",
        config,
        ready_when(move || store.is_ready()),
        &delivery_meters,
    );
    let view = stores.view.clone();
    let health = HealthCheck::new(move || {
        let view = view.clone();
        async move { if view.ready().await.is_ok() { Health::up() } else { Health::down() } }
    });
    let mypage_router = with_surroundings(mypage_router, "mypage", config, health, &mypage_meters);

    meters::of_orders(&order_meters, Arc::new(stores.orders.clone()), guard);
    let store = stores.orders.clone();
    meters::of_commits(&order_meters, move || store.commits());
    let store = stores.rents.clone();
    meters::of_commits(&rent_meters, move || store.commits());
    let store = stores.deliveries.clone();
    meters::of_commits(&delivery_meters, move || store.commits());

    let upstreams = vec![
        an_upstream("orders", &order_router, &order_door),
        an_upstream("rents", &rent_router, &rent_door),
        an_upstream("deliveries", &delivery_router, &delivery_door),
        an_upstream("mypages", &mypage_router, &mypage_door),
    ];
    let gateway_router = gateway::router(upstreams, &config.cors_origins)?;
    let gateway_router =
        with_surroundings(gateway_router, "gateway", config, ready_when(|| true), &gateway_meters);

    let [order_port, rent_port, delivery_port, mypage_port, gateway_port] =
        config.ports.map(|port| SocketAddr::new(config.bind, port));
    let order_tasks = {
        let (consume, relay) = (
            consumer(
                stores,
                &order_meters,
                "order",
                Arc::new(order::adapters::inbound::events::Events(orders.clone())),
                Duration::ZERO,
            ),
            relay(stores, &order_meters, Arc::new(stores.orders.outbox())),
        );
        let resuming = config.resuming;
        move |stopping: &Stopping| {
            let resume = orders.clone().resume_orders(resuming, Arc::new(AlwaysOurs));
            vec![consume(stopping), relay(stopping), stopping.end(resume)]
        }
    };
    let rent_tasks = {
        let (consume, relay) = (
            consumer(
                stores,
                &rent_meters,
                "rent",
                Arc::new(rent::adapters::inbound::events::Events(rents)),
                Duration::ZERO,
            ),
            relay(stores, &rent_meters, Arc::new(stores.rents.outbox())),
        );
        move |stopping: &Stopping| vec![consume(stopping), relay(stopping)]
    };
    let delivery_tasks = {
        let (consume, relay) = (
            consumer(
                stores,
                &delivery_meters,
                "delivery",
                Arc::new(delivery::adapters::inbound::events::Events(deliveries)),
                Duration::ZERO,
            ),
            relay(stores, &delivery_meters, Arc::new(stores.deliveries.outbox())),
        );
        move |stopping: &Stopping| vec![consume(stopping), relay(stopping)]
    };
    let mypage_tasks = {
        let consume = consumer(
            stores,
            &mypage_meters,
            "mypage",
            Arc::new(mypage::adapters::inbound::events::Events(stores.view.clone())),
            SETTLE_VIEW,
        );
        move |stopping: &Stopping| vec![consume(stopping)]
    };
    Ok(Services([
        Service::new("order", order_port, order_door, order_router, order_tasks),
        Service::new("rent", rent_port, rent_door, rent_router, rent_tasks),
        Service::new("delivery", delivery_port, delivery_door, delivery_router, delivery_tasks),
        Service::new("mypage", mypage_port, mypage_door, mypage_router, mypage_tasks),
        Service::new("gateway", gateway_port, gateway_door, gateway_router, |_| Vec::new()),
    ]))
}

/// A consumer of `group` for every start of its service.
fn consumer(
    stores: &Stores,
    meters: &Meters,
    group: &'static str,
    handler: Arc<dyn Handler>,
    settle_after: Duration,
) -> impl Fn(&Stopping) -> Task + Send + Sync + use<> {
    let (bus, consumed) = (Arc::new(stores.bus.clone()), Arc::<Consumed>::default());
    meters::of_group(meters, bus.clone() as Arc<dyn EventBus>, group, &consumed);
    move |stopping| {
        let consumer = Consumer {
            bus: bus.clone(),
            topic: TOPIC.to_owned(),
            group: group.to_owned(),
            handler: Arc::clone(&handler),
            batch: BATCH,
            gather: GATHER,
            settle_after,
            consumed: Arc::clone(&consumed),
        };
        Box::pin(consumer.run(stopping.clone().told()))
    }
}

/// A relay of `outbox` for every start of its service.
fn relay(
    stores: &Stores,
    meters: &Meters,
    outbox: Arc<dyn Outbox>,
) -> impl Fn(&Stopping) -> Task + Send + Sync + use<> {
    let bus = Arc::new(stores.bus.clone());
    meters::of_outbox(meters, &outbox, false);
    move |stopping| {
        let relay =
            Relay { outbox: Arc::clone(&outbox), bus: bus.clone(), topic: TOPIC.to_owned(), gather: GATHER };
        stopping.end(relay.run())
    }
}

fn an_upstream(collection: &'static str, router: &Router, door: &Arc<Door>) -> Upstream {
    let door = Arc::clone(door);
    Upstream { collection, router: router.clone(), is_open: Arc::new(move || door.is_open()) }
}

/// A health check that asks nobody but a function that answers at once.
fn ready_when(is_ready: impl Fn() -> bool + Send + Sync + 'static) -> HealthCheck {
    HealthCheck::new(move || {
        let health = if is_ready() { Health::up() } else { Health::down() };
        async move { health }
    })
}

/// What every service has around its resources: actuator, limits, request id, metrics.
fn with_surroundings(
    router: Router,
    name: &'static str,
    config: &Config,
    health: HealthCheck,
    meters: &Arc<Meters>,
) -> Router {
    let about = About { name, version: version::VERSION, commit: Some(version::COMMIT) };
    let read = Arc::clone(meters);
    let scrape = Scrape::new(move || {
        let meters = Arc::clone(&read);
        async move { meters.text().await }
    });
    let limited = config.limits.layer(router.merge(actuator(about, health, scrape)));
    let in_flight = limited.in_flight();
    meters::of_requests(meters, &limited.requests(), move || in_flight.count());
    Router::new().fallback_service(limited)
}
