//! Every service as two replicas on a real PostgreSQL, a real Kafka and a real Redis; one gateway before them.

use std::{net::SocketAddr, path::PathBuf};

use platform_bus_kafka::KafkaSettings;
use platform_event_bus::GroupPosition;
use platform_testkit::{kafka::KafkaServer, postgres::PostgresServer, redis::RedisServer, until};
use rentalbook::{
    cli::{ServiceArg, Tool},
    config::Config,
    distributed::{self, Engines, Peers},
    faults::Faults,
    parts::Parts,
    service::Service,
};

use super::{SceneOn, Wiring};

/// Replicas of each service.
const REPLICAS: usize = 2;

/// Those that have replicas, in the order of their start: nobody is asked before he is there.
const SERVICES: [ServiceArg; 4] =
    [ServiceArg::Rent, ServiceArg::Delivery, ServiceArg::Mypage, ServiceArg::Order];

/// A library over many processes, but for the processes: its services are replicas of this one.
pub(crate) struct Distributed {
    config: Config,
    engines: Engines,
    peers: Peers,
    /// By [`SERVICES`].
    replicas: Vec<Vec<Service>>,
    gateway: Service,
}

/// The engines that all tests share; each library has databases, a topic and keys of its own.
pub(crate) fn engines() -> Engines {
    let (postgres, kafka, redis) = (PostgresServer::shared(), KafkaServer::shared(), RedisServer::shared());
    let database = || platform_postgres::Settings {
        port: postgres.port(),
        database: postgres.database(),
        connections: 4,
        ..platform_postgres::Settings::default()
    };
    let topic = kafka.topic();
    Engines {
        orders: database(),
        rents: database(),
        deliveries: database(),
        kafka: KafkaSettings { brokers: vec![kafka.bootstrap()], partitions: 4, ..KafkaSettings::default() },
        group_prefix: format!("{topic}-"),
        topic,
        redis: mypage::adapters::outbound::redis::RedisSettings {
            port: redis.port(),
            prefix: redis.prefix(),
            ..Default::default()
        },
    }
}

async fn addresses(replicas: &[Service]) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for replica in replicas {
        addresses.push(replica.address().await);
    }
    addresses
}

impl Distributed {
    /// A new library on engines of its own.
    pub(crate) async fn open_on(engines: Engines, change: impl FnOnce(Config) -> Config) -> Self {
        let config = change(Config { ports: [0; 5], ..Config::new(PathBuf::new()) });
        let peers = Peers::default();
        let gateway =
            distributed::replica(ServiceArg::Gateway, &config, &engines, &peers).expect("a gateway");
        let mut library = Self { config, engines, peers, replicas: Vec::new(), gateway };
        library.start().await;
        library
    }

    fn replica(&self, service: ServiceArg) -> Service {
        // As processes of their own, which share nothing.
        let faults = self.config.faults.as_ref().map(|_| Faults::default());
        let config = Config { faults, ..self.config.clone() };
        distributed::replica(service, &config, &self.engines, &self.peers).expect("a replica")
    }

    fn of(&self, service: ServiceArg) -> &[Service] {
        let index = SERVICES.iter().position(|one| *one == service).expect("it has replicas");
        &self.replicas[index]
    }

    async fn start(&mut self) {
        for service in SERVICES {
            let replicas: Vec<_> = (0..REPLICAS).map(|_| self.replica(service)).collect();
            for replica in &replicas {
                replica.start().await.expect("it starts");
            }
            let at = addresses(&replicas).await.into_iter().collect();
            match service {
                ServiceArg::Order => self.peers.order = at,
                ServiceArg::Rent => self.peers.rent = at,
                ServiceArg::Delivery => self.peers.delivery = at,
                ServiceArg::Mypage => self.peers.mypage = at,
                ServiceArg::Gateway => unreachable!("it has no replicas here"),
            }
            self.replicas.push(replicas);
        }
        self.gateway = self.replica(ServiceArg::Gateway);
        self.gateway.start().await.expect("it starts");
        self.until_ready().await;
    }

    async fn until_ready(&self) {
        for replica in self.replicas.iter().flatten() {
            let at = replica.address().await;
            let what = format!("{} is ready", replica.name());
            until(&what, async || is_ready(at).await).await;
        }
    }

    async fn stop_all(&mut self) {
        self.gateway.stop().await;
        for service in SERVICES.iter().rev() {
            for replica in self.of(*service) {
                replica.stop().await;
            }
        }
        self.replicas.clear();
    }
}

/// Whether who listens there says that it is ready.
pub(crate) async fn is_ready(at: SocketAddr) -> bool {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(at).await?;
        stream
            .write_all(b"GET /actuator/health/readiness HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
            .await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    ask.await.is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
}

impl SceneOn<Distributed> {
    /// The status of what mypage answers.
    pub(crate) async fn get_mypages(&self) -> u16 {
        self.send(ServiceArg::Gateway, hyper::Method::GET, "/mypages", None).await.status
    }

    /// Where the replicas of each service are.
    pub(crate) fn peers(&self) -> Peers {
        self.library().peers.clone()
    }

    /// What the engines have, as the tools see it.
    pub(crate) async fn parts(&self) -> Parts {
        self.library().engines.parts().await.expect("the engines")
    }

    /// Waits until nothing is on its way: all outboxes are empty and all groups are at the end of the topic, which
    /// has not grown between two looks.
    pub(crate) async fn settle(&self) {
        let parts = self.parts().await;
        self.until("everything has settled", async || {
            let Some(before) = ends_if_consumed(&parts).await else { return false };
            for outbox in &parts.outboxes {
                if outbox.backlog().await.expect("an outbox") > 0 {
                    return false;
                }
            }
            ends_if_consumed(&parts).await == Some(before)
        })
        .await;
    }
}

async fn ends_if_consumed(parts: &Parts) -> Option<Vec<i64>> {
    let mut ends = Vec::new();
    for group in &parts.groups {
        let positions = parts.bus.positions(&parts.topic, group).await.expect("positions");
        if positions.iter().any(|GroupPosition { committed, end, .. }| committed < end) {
            return None;
        }
        ends.extend(positions.iter().map(|position| position.end));
    }
    Some(ends)
}

impl Wiring for Distributed {
    async fn open(change: impl FnOnce(Config) -> Config) -> Self {
        Self::open_on(engines(), change).await
    }

    async fn restart(&mut self) {
        self.stop_all().await;
        self.start().await;
    }

    async fn address(&self, service: ServiceArg) -> SocketAddr {
        match service {
            ServiceArg::Gateway => self.gateway.address().await,
            other => self.of(other)[0].address().await,
        }
    }

    async fn tool(&self, tool: &Tool) -> (String, u8) {
        match tool {
            Tool::Stop { service } => {
                for replica in self.of(*service) {
                    replica.stop().await;
                }
                (String::new(), 0)
            }
            Tool::Start { service } => {
                for replica in self.of(*service) {
                    replica.start().await.expect("it starts");
                }
                self.until_ready().await;
                (String::new(), 0)
            }
            _ => {
                let outcome = distributed::run_tool(tool, &self.engines, &self.peers).await;
                (outcome.text, outcome.code)
            }
        }
    }

    async fn stop(mut self) {
        self.stop_all().await;
    }
}
