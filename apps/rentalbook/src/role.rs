//! From the settings of one replica to what it is wired with.

use std::{collections::HashSet, net::SocketAddr, path::PathBuf, time::Duration};

use platform_bus_kafka::{KafkaSettings, Security};
use platform_secret::{Password, Secret};

use crate::{
    cli::{Cli, Command, KafkaArgs, Misread, PostgresArgs, RedisArgs, ServiceArg, TlsArg, read},
    config::Config,
    distributed::{Engines, Peers},
};

/// One replica of one service.
#[derive(Clone, Debug)]
pub struct Role {
    /// Which service.
    pub service: ServiceArg,
    /// Its settings.
    pub config: Config,
    /// The engines. Those that it does not need are where they are by default.
    pub engines: Engines,
    /// The other services, in the same way.
    pub peers: Peers,
}

impl Role {
    /// The role that a command names, if it names one.
    #[must_use]
    pub fn of(command: &Command) -> Option<Self> {
        let mut config = Config::new(PathBuf::new());
        let (mut engines, mut peers) = (Engines::default(), Peers::default());
        let [order_port, rent_port, delivery_port, mypage_port, gateway_port] = &mut config.ports;
        let service = match command {
            Command::Tools(_) => return None,
            Command::Order(args) => {
                *order_port = args.port;
                config.set_server(&args.server);
                config.drain_notice = Duration::from_millis(args.ending.drain_notice_ms);
                config.set_order(&args.order);
                config.set_client(&args.client);
                config.set_events(&args.events);
                engines.orders = args.postgres.settings("order");
                engines.set_kafka(&args.kafka);
                peers.rent = args.rent_url.clone();
                ServiceArg::Order
            }
            Command::Rent(args) => {
                *rent_port = args.port;
                config.set_server(&args.server);
                config.drain_notice = Duration::from_millis(args.ending.drain_notice_ms);
                config.set_rent(&args.rent);
                config.set_events(&args.events);
                engines.rents = args.postgres.settings("rent");
                engines.set_kafka(&args.kafka);
                ServiceArg::Rent
            }
            Command::Delivery(args) => {
                *delivery_port = args.port;
                config.set_server(&args.server);
                config.drain_notice = Duration::from_millis(args.ending.drain_notice_ms);
                config.set_events(&args.events);
                engines.deliveries = args.postgres.settings("delivery");
                engines.set_kafka(&args.kafka);
                ServiceArg::Delivery
            }
            Command::Mypage(args) => {
                *mypage_port = args.port;
                config.set_server(&args.server);
                config.drain_notice = Duration::from_millis(args.ending.drain_notice_ms);
                engines.redis = args.redis.settings();
                engines.set_kafka(&args.kafka);
                ServiceArg::Mypage
            }
            Command::Gateway(args) => {
                *gateway_port = args.port;
                config.set_server(&args.server);
                config.drain_notice = Duration::from_millis(args.ending.drain_notice_ms);
                config.set_gateway(&args.gateway);
                config.set_client(&args.client);
                peers = Peers {
                    order: args.order_url.clone(),
                    rent: args.rent_url.clone(),
                    delivery: args.delivery_url.clone(),
                    mypage: args.mypage_url.clone(),
                };
                ServiceArg::Gateway
            }
        };
        Some(Self { service, config, engines, peers })
    }

    /// Where everything is, as the environment and the file tell each of the services: for the tools, which look at
    /// all of them. `config` is the file, where one was named.
    ///
    /// # Errors
    /// Where something is wrong with what one of them is told.
    pub fn of_all(config: Option<&PathBuf>) -> Result<(Engines, Peers), Misread> {
        let role = |name: &str| {
            let mut line = vec!["rentalbook".into(), name.into()];
            if let Some(file) = config {
                line.extend(["--config".into(), file.as_os_str().to_owned()]);
            }
            let Cli { command, .. } = read(line)?;
            Ok(command.as_ref().and_then(Self::of))
        };
        let (mut engines, mut peers) = (Engines::default(), Peers::default());
        let mut mistakes = Vec::new();
        for name in ["order", "rent", "delivery", "mypage", "gateway"] {
            let role = match role(name) {
                Ok(Some(role)) => role,
                Ok(None) => continue,
                Err(Misread::Mistakes(told)) => {
                    mistakes.extend(told);
                    continue;
                }
                Err(shown) => return Err(shown),
            };
            match role.service {
                ServiceArg::Order => engines.orders = role.engines.orders,
                ServiceArg::Rent => engines.rents = role.engines.rents,
                ServiceArg::Delivery => engines.deliveries = role.engines.deliveries,
                ServiceArg::Mypage => {
                    engines = Engines {
                        orders: engines.orders,
                        rents: engines.rents,
                        deliveries: engines.deliveries,
                        ..role.engines
                    };
                }
                ServiceArg::Gateway => peers = role.peers,
            }
        }
        if mistakes.is_empty() {
            return Ok((engines, peers));
        }
        // What is meant for all of them is wrong for each.
        let mut told = HashSet::new();
        mistakes.retain(|mistake| told.insert(mistake.clone()));
        Err(Misread::Mistakes(mistakes))
    }
}

impl Engines {
    fn set_kafka(&mut self, args: &KafkaArgs) {
        self.kafka = KafkaSettings {
            brokers: args.kafka_brokers.clone(),
            partitions: args.partitions,
            session_timeout: Duration::from_millis(args.kafka_session_ms),
            security: match args.kafka_tls {
                TlsArg::Disabled => Security::Plaintext,
            },
            ..KafkaSettings::default()
        };
        self.topic.clone_from(&args.kafka_topic);
        self.group_prefix.clone_from(&args.kafka_group_prefix);
    }
}

impl Default for Engines {
    /// On this machine, where they listen by default.
    fn default() -> Self {
        let database = |name: &str| platform_postgres::Settings {
            database: format!("rentalbook_{name}"),
            ..platform_postgres::Settings::default()
        };
        Self {
            orders: database("order"),
            rents: database("rent"),
            deliveries: database("delivery"),
            kafka: KafkaSettings::default(),
            topic: contracts::TOPIC.to_owned(),
            group_prefix: String::new(),
            redis: mypage::adapters::outbound::redis::RedisSettings::default(),
        }
    }
}

impl Default for Peers {
    /// One replica of each, on this machine.
    fn default() -> Self {
        let at = |port| std::iter::once(SocketAddr::from(([127, 0, 0, 1], port))).collect();
        Self { order: at(8081), rent: at(8082), delivery: at(8083), mypage: at(8084) }
    }
}

impl PostgresArgs {
    fn settings(&self, service: &str) -> platform_postgres::Settings {
        platform_postgres::Settings {
            host: self.postgres_host.clone(),
            port: self.postgres_port,
            database: self.postgres_database.clone().unwrap_or_else(|| format!("rentalbook_{service}")),
            user: self.postgres_user.clone(),
            password: password(self.postgres_password.as_ref(), self.postgres_password_file.as_ref()),
            tls: match self.postgres_tls {
                TlsArg::Disabled => platform_postgres::Tls::Disabled,
            },
            connections: self.postgres_connections as usize,
            connect_within: Duration::from_millis(self.postgres_connect_ms),
            answer_within: Duration::from_millis(self.postgres_answer_ms),
        }
    }
}

impl RedisArgs {
    fn settings(&self) -> mypage::adapters::outbound::redis::RedisSettings {
        use mypage::adapters::outbound::redis::{RedisSettings, Tls};
        RedisSettings {
            host: self.redis_host.clone(),
            port: self.redis_port,
            database: self.redis_database,
            user: self.redis_user.clone(),
            password: password(self.redis_password.as_ref(), self.redis_password_file.as_ref()),
            tls: match self.redis_tls {
                TlsArg::Disabled => Tls::Disabled,
            },
            prefix: self.redis_prefix.clone(),
            ..RedisSettings::default()
        }
    }
}

/// Who reads the settings leaves one of them.
fn password(text: Option<&Secret>, file: Option<&PathBuf>) -> Password {
    match (text, file) {
        (Some(text), _) => Password::Text(text.clone()),
        (None, Some(file)) => Password::File(file.clone()),
        (None, None) => Password::None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_mistakes_of_all_services_are_told_at_once_and_each_of_them_once() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let text = "max-in-flight = 0\n[order]\nmax-pending = \"many\"\n[mypage]\nredis-port = 70000\n";
        file.write_all(text.as_bytes()).expect("written");
        let read = Role::of_all(Some(&file.path().to_owned()));
        let Err(Misread::Mistakes(told)) = read else { panic!("{read:?}") };
        for what in ["--max-in-flight", "--max-pending", "--redis-port"] {
            assert!(told.iter().any(|mistake| mistake.contains(what)), "{what}: {told:?}");
        }
        assert_eq!(told.len(), 3, "{told:?}");
    }
}
