//! Real engines, and one process of each service on them.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use parking_lot::Mutex;
use platform_bus_kafka::KafkaSettings;
use platform_testkit::{kafka::KafkaServer, postgres::PostgresServer, redis::RedisServer};
use tokio_postgres::NoTls;

use crate::{
    Result,
    library::{Process, until_ready},
};

/// Services in the order of their start, with their ports: nobody is asked before he is there.
const SERVICES: [(&str, u16); 5] =
    [("rent", 28082), ("delivery", 28083), ("mypage", 28084), ("order", 28081), ("gateway", 28088)];

/// Those with a database.
const DATABASES: [&str; 3] = ["order", "rent", "delivery"];

/// The engines, and the library on them.
pub(super) struct Site {
    pub(super) postgres: PostgresServer,
    pub(super) kafka: KafkaServer,
    redis: RedisServer,
    processes: Mutex<Vec<Process>>,
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

impl Site {
    /// Starts everything, and returns when every service is ready.
    pub(super) async fn start(program: &Path) -> Result<Self> {
        let site = Self {
            postgres: PostgresServer::durable(),
            kafka: KafkaServer::start(),
            redis: RedisServer::start(),
            processes: Mutex::default(),
        };
        for service in DATABASES {
            site.postgres.create_database(&format!("rentalbook_{service}"));
        }
        for (service, port) in SERVICES {
            site.processes.lock().push(Process::new(site.command(program, service, port).spawn()?));
        }
        for (_, port) in SERVICES {
            until_ready(local(port)).await?;
        }
        Ok(site)
    }

    /// A process of `service`, as `make up` starts it.
    pub(super) fn command(&self, program: &Path, service: &str, port: u16) -> Command {
        let mut command = Command::new(program);
        command
            .arg(service)
            .env("RENTALBOOK_PORT", port.to_string())
            .env("RENTALBOOK_LOG", "error")
            .env("RENTALBOOK_POSTGRES_PORT", self.postgres.port().to_string())
            .env("RENTALBOOK_KAFKA_BROKERS", self.kafka.bootstrap())
            .env("RENTALBOOK_REDIS_PORT", self.redis.port().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        for (service, port) in &SERVICES[..4] {
            let name = format!("RENTALBOOK_{}_URL", service.to_uppercase());
            command.env(name, format!("http://127.0.0.1:{port}"));
        }
        command
    }

    pub(super) fn order(&self) -> SocketAddr {
        local(28081)
    }

    pub(super) fn mypage(&self) -> SocketAddr {
        local(28084)
    }

    pub(super) fn gateway(&self) -> SocketAddr {
        local(28088)
    }

    /// Resident memory of all processes, in MiB.
    pub(super) fn resident_mib(&self) -> Result<f64> {
        self.processes.lock().iter().map(Process::resident_mib).sum()
    }

    /// Ends the services; the engines go on.
    pub(super) fn stop_services(&self) {
        self.processes.lock().clear();
    }

    /// Where the engines are, for clients of our own.
    pub(super) fn kafka_settings(&self) -> KafkaSettings {
        KafkaSettings { brokers: vec![self.kafka.bootstrap()], ..KafkaSettings::default() }
    }

    /// Events that wait in the outboxes.
    pub(super) async fn unpublished(&self) -> Result<i64> {
        let mut all = 0;
        for service in DATABASES {
            all += self.count(&format!("rentalbook_{service}"), "outbox").await?;
        }
        Ok(all)
    }

    /// Rows of a table.
    pub(super) async fn count(&self, database: &str, table: &str) -> Result<i64> {
        let settings =
            format!("host=127.0.0.1 port={} user=postgres dbname={database}", self.postgres.port());
        let (client, connection) = tokio_postgres::connect(&settings, NoTls).await?;
        let connection = tokio::spawn(connection);
        let count = client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?.try_get(0)?;
        drop(client);
        connection.await??;
        Ok(count)
    }
}
