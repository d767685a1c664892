//! The wiring for one machine: all five services in one process, on files. Read it from top to bottom.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::Router;
use contracts::TOPIC;
use gateway::{Behind, Upstream};
use order::application::ports::AlwaysOurs;
use tokio::task::JoinHandle;

use crate::{
    cli::ServiceArg,
    config::Config,
    control,
    data_folder::{DataFolder, FolderError},
    in_process_rent::InProcessRent,
    scratch::Scratch,
    service::Service,
    services::{self, Base, Events, OrderParts, ready_when, ready_with},
    stores::{Stores, StoresError},
    tools::{Running, Toolbox},
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
    stores: Stores,
    // Dropped last: the files are closed when nobody else may open them yet.
    _folder: Arc<DataFolder>,
}

/// How long relays and consumers gather between two batches.
const GATHER: Duration = Duration::from_millis(15);

/// How long mypage's view may be ahead of what is durable of it: its syncs would take the disk from the others sixty
/// times a second, for something that the topic has as well.
const SETTLE_VIEW: Duration = Duration::from_millis(250);

impl Library {
    /// Opens the data folder, wires the services and starts them. Whoever does not wait for the end of it any more
    /// has lost nothing: it is the same as a process that was killed.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let folder = Arc::new(DataFolder::open(&config.data)?);
        let stores = Stores::open(&folder, &config.wire_clock, config.partitions).await?;
        let services = Arc::new(wire(&config, &stores)?);
        let toolbox = Toolbox {
            library: stores.parts(),
            scratch: Scratch::of(&folder),
            running: Running::Here(Arc::clone(&services)),
            faults: config.faults.clone(),
        };
        let listener = control::listen(folder.path())?;
        let mut library = Self {
            control: tokio::spawn(control::serve(listener, Arc::new(toolbox))),
            services,
            stores,
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

    /// Its files.
    #[must_use]
    pub fn stores(&self) -> &Stores {
        &self.stores
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
    let [order_port, rent_port, delivery_port, mypage_port, gateway_port] = config.ports;
    let base = |port, health, commits| Base {
        config,
        port,
        door: Arc::default(),
        health,
        commits,
        pressure: None,
        switch: None,
    };
    let events = Events {
        bus: services::bus(config, Arc::new(stores.bus.clone())),
        topic: TOPIC.to_owned(),
        group_prefix: String::new(),
        gather: GATHER,
        know_age: false,
        reading: None,
    };

    let (ready, written) = (stores.rents.clone(), stores.rents.clone());
    let ready = ready_when(move || ready.is_ready());
    let mut rent_base = base(rent_port, ready, Some(Arc::new(move || written.commits())));
    let rent_door = Arc::clone(&rent_base.door);
    let rents = services::rents(config, Arc::new(stores.rents.clone()), rent_base.under_pressure());
    let rent = services::rent(rent_base, rents.clone(), Arc::new(stores.rents.outbox()), &events);

    let (ready, written) = (stores.orders.clone(), stores.orders.clone());
    let ready = ready_when(move || ready.is_ready());
    let order_base = base(order_port, ready, Some(Arc::new(move || written.commits())));
    let parts = OrderParts {
        store: Arc::new(stores.orders.clone()),
        outbox: Arc::new(stores.orders.outbox()),
        desk: Arc::new(InProcessRent { rents, door: rent_door }),
        turn: Box::new(|| Arc::new(AlwaysOurs)),
    };
    let order = services::order(order_base, parts, &events);

    let (ready, written) = (stores.deliveries.clone(), stores.deliveries.clone());
    let ready = ready_when(move || ready.is_ready());
    let delivery_base = base(delivery_port, ready, Some(Arc::new(move || written.commits())));
    let (store, outbox) = (Arc::new(stores.deliveries.clone()), Arc::new(stores.deliveries.outbox()));
    let delivery = services::delivery(delivery_base, store, outbox, &events);

    let mypage_base = base(mypage_port, ready_with(stores.view.clone()), None);
    let mypage = services::mypage(mypage_base, stores.view.clone(), SETTLE_VIEW, &events, |_| Vec::new());

    let upstreams = [("orders", &order), ("rents", &rent), ("deliveries", &delivery), ("mypages", &mypage)];
    let upstreams = upstreams.map(|(collection, service)| an_upstream(collection, service));
    let gateway_base = base(gateway_port, ready_when(|| true), None);
    let gateway = services::gateway(gateway_base, gateway::router(upstreams.into()))?;
    Ok(Services([order, rent, delivery, mypage, gateway]))
}

fn an_upstream(collection: &'static str, service: &Service) -> Upstream {
    let door = Arc::clone(service.door());
    let router = Router::new().fallback_service(service.app().clone());
    let service = Behind::Here { router, is_open: Arc::new(move || door.is_open()) };
    Upstream { collection, service }
}
