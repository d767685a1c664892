//! The wiring for many processes: one replica of one service, on PostgreSQL, Kafka and Redis. Read it from top to
//! bottom.

use std::{sync::Arc, time::Duration};

use contracts::{GROUPS, WireClock};
use delivery::adapters::outbound::postgres::PostgresDeliveries;
use gateway::{Behind, OriginError, Upstream};
use mypage::adapters::outbound::redis::{RedisSettings, RedisView};
use order::adapters::outbound::{http_rent::HttpRent, postgres::PostgresOrders};
use platform_bus_kafka::{KafkaBus, KafkaSettings};
use platform_event_bus::EventBus;
use platform_http::client::{Client, ClientConfig, ReplicaState, ServiceAddress};
use platform_postgres::{OpenError, Settings};
use rent::adapters::outbound::postgres::PostgresRents;

use crate::{
    cli::{ServiceArg, Tool},
    config::Config,
    faults,
    parts::Parts,
    scratch::Scratch,
    service::Service,
    services::{self, Base, Events, OrderParts, Reading, ready_when, ready_with},
    tools::{self, Outcome, Running, Toolbox},
};

/// Where the engines are.
#[derive(Clone, Debug)]
pub struct Engines {
    /// order's database.
    pub orders: Settings,
    /// rent's database.
    pub rents: Settings,
    /// delivery's database.
    pub deliveries: Settings,
    /// The bus.
    pub kafka: KafkaSettings,
    /// The topic of all events.
    pub topic: String,
    /// What the names of the consumer groups begin with.
    pub group_prefix: String,
    /// mypage's view.
    pub redis: RedisSettings,
}

/// Where the services are: for order, which asks rent, and for the gateway, which asks all of them.
#[derive(Clone, Debug)]
pub struct Peers {
    /// 대여요청
    pub order: ServiceAddress,
    /// 대여
    pub rent: ServiceAddress,
    /// 배송
    pub delivery: ServiceAddress,
    /// 내 대여 현황
    pub mypage: ServiceAddress,
}

/// How long relays and consumers gather between two batches: less burns the broker's cores. A lone event waits for
/// nothing, see `docs/decisions/0009-gathering.md`.
const GATHER: Duration = Duration::from_millis(100);

/// One replica of `service`, not started yet; must be called in a runtime. Neither the engines nor the other services
/// have to be there: what needs one waits for it.
///
/// # Errors
/// Where one of the gateway's web origins is none.
pub fn replica(
    service: ServiceArg,
    config: &Config,
    engines: &Engines,
    peers: &Peers,
) -> Result<Service, OriginError> {
    let [order_port, rent_port, delivery_port, mypage_port, gateway_port] = config.ports;
    let base = |port, health, commits| Base {
        config,
        port,
        door: Arc::default(),
        health,
        commits,
        pressure: None,
        switch: config.faults.clone().filter(|_| service != ServiceArg::Gateway),
    };
    let clock = || config.wire_clock.clone();
    let bus = engines.bus();
    let reading = bus.clone();
    let events =
        engines.events(services::bus(config, Arc::new(bus.clone())), Arc::new(move || reading.reading()));
    let service = match service {
        ServiceArg::Order => {
            let store = PostgresOrders::open_later(&engines.orders, clock());
            let desk =
                HttpRent::new(Client::new(&peers.rent, &config.client), config.guard_of_rent().deadline);
            let (ready, written, taking_turns) = (store.clone(), store.clone(), store.clone());
            let ready = ready_when(move || ready.is_ready());
            let base = base(order_port, ready, Some(Arc::new(move || written.store().commits())));
            let parts = OrderParts {
                turn: Box::new(move || Arc::new(taking_turns.turn())),
                outbox: Arc::new(store.outbox()),
                store: Arc::new(store),
                desk: Arc::new(desk),
            };
            services::order(base, parts, &events)
        }
        ServiceArg::Rent => {
            let store = PostgresRents::open_later(&engines.rents, clock());
            let (ready, written, outbox) = (store.clone(), store.clone(), store.outbox());
            let ready = ready_when(move || ready.is_ready());
            let mut base = base(rent_port, ready, Some(Arc::new(move || written.store().commits())));
            let rents = services::rents(config, Arc::new(store), base.under_pressure());
            services::rent(base, rents, Arc::new(outbox), &events)
        }
        ServiceArg::Delivery => {
            let store = PostgresDeliveries::open_later(&engines.deliveries, clock());
            let (ready, written, outbox) = (store.clone(), store.clone(), store.outbox());
            let ready = ready_when(move || ready.is_ready());
            let base = base(delivery_port, ready, Some(Arc::new(move || written.store().commits())));
            services::delivery(base, Arc::new(store), Arc::new(outbox), &events)
        }
        ServiceArg::Mypage => {
            let view = Arc::new(RedisView::new(engines.redis.clone()));
            let base = base(mypage_port, ready_with(view.clone()), None);
            let (kept, bus, topic) = (view.clone(), Arc::clone(&events.bus), engines.topic.clone());
            services::mypage(base, view, Duration::ZERO, &events, move |stopping| {
                let (kept, bus, topic) = (kept.clone(), Arc::clone(&bus), topic.clone());
                vec![stopping.end(async move { kept.keep_complete(&*bus, &topic).await })]
            })
        }
        ServiceArg::Gateway => {
            let Peers { order, rent, delivery, mypage } = peers;
            let all = [("orders", order), ("rents", rent), ("deliveries", delivery), ("mypages", mypage)];
            let upstreams = all.map(|(collection, at)| Upstream {
                collection,
                service: Behind::There(Client::new(at, &config.client)),
            });
            services::gateway(
                base(gateway_port, ready_when(|| true), None),
                gateway::router(upstreams.into()),
            )?
        }
    };
    // Whom a gateway lets in, its services let in: they take its word about the clients.
    let service = service.believing(config.trusted_proxies.clone());
    // Who has left its group gives its partitions to the others at once, and not when its session is over.
    Ok(service.ending_with(move || {
        let bus = bus.clone();
        Box::pin(async move { bus.left().await })
    }))
}

/// Says what is wrong with the topic, where it is not as it has to be. Kafka may come later than the replica.
pub async fn check_topic(engines: &Engines) {
    let topic = &engines.topic;
    let on_waiting = |error| tracing::warn!(topic, %error, "the topic is checked as soon as Kafka answers");
    for what in engines.bus().check_topic_when_there(topic, on_waiting).await {
        tracing::error!(topic, "{what}");
    }
}

/// Runs a tool on the library that runs in many processes.
pub async fn run_tool(tool: &Tool, engines: &Engines, peers: &Peers) -> Outcome {
    let Peers { order, rent, delivery, mypage } = peers;
    let clients = [("order", order), ("rent", rent), ("delivery", delivery), ("mypage", mypage)]
        .map(|(name, at)| (name, Client::new(at, &ClientConfig::default())));
    // Only the audit looks at all engines. The others work while one is away that they have no use for.
    match tool {
        Tool::Fault { faults } => return faults::switch_in_all(&clients, faults).await,
        Tool::Dlq(dlq) => {
            return tools::look_after_letters(Arc::new(engines.bus()), &engines.topic, dlq).await;
        }
        Tool::RebuildView => {
            let view = RedisView::new(engines.redis.clone());
            return tools::rebuild_view(&view, &engines.bus(), &engines.topic).await;
        }
        Tool::Stop { .. } | Tool::Start { .. } => return Outcome::failed(tools::ELSEWHERE),
        Tool::Audit => {}
    }
    let is_ready = |(_, client): &(&str, Client)| {
        client.replicas().iter().any(|(_, state)| *state == ReplicaState::Ready)
    };
    let all_answer = move || clients.iter().all(is_ready);
    let library = match engines.parts().await {
        Ok(library) => library,
        Err(error) => return Outcome::failed(error),
    };
    let running = Running::Elsewhere(Arc::new(all_answer));
    Toolbox { library, scratch: Scratch::elsewhere(), running, faults: None }.run(tool).await
}

impl Engines {
    fn bus(&self) -> KafkaBus {
        KafkaBus::new(self.kafka.clone())
    }

    fn events(&self, bus: Arc<dyn EventBus>, reading: Reading) -> Events {
        Events {
            bus,
            topic: self.topic.clone(),
            group_prefix: self.group_prefix.clone(),
            gather: GATHER,
            know_age: true,
            reading: Some(reading),
        }
    }

    /// The library for its tools: they look at the engines, not at the services.
    ///
    /// # Errors
    /// Where a database cannot be used now.
    pub async fn parts(&self) -> Result<Parts, OpenError> {
        // What was said is there already, so the clock does not matter.
        let clock = WireClock::default;
        let orders = PostgresOrders::open(&self.orders, clock()).await?;
        let rents = PostgresRents::open(&self.rents, clock()).await?;
        let deliveries = PostgresDeliveries::open(&self.deliveries, clock()).await?;
        Ok(Parts {
            outboxes: vec![
                Arc::new(orders.outbox()),
                Arc::new(rents.outbox()),
                Arc::new(deliveries.outbox()),
            ],
            orders: Arc::new(orders),
            rents: Arc::new(rents),
            deliveries: Arc::new(deliveries),
            view: Arc::new(RedisView::new(self.redis.clone())),
            bus: Arc::new(self.bus()),
            topic: self.topic.clone(),
            groups: GROUPS.map(|group| format!("{}{group}", self.group_prefix)).into(),
        })
    }
}
