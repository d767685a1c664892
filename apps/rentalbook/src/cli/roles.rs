//! The settings of one replica of one service.

use std::convert::Infallible;

use clap::{Args, ValueEnum, builder::NonEmptyStringValueParser};
use platform_http::client::ServiceAddress;
use platform_secret::Secret;

use super::library::{EventArgs, GatewayArgs, OrderArgs, RentArgs, ServerArgs};

/// How a replica ends.
#[derive(Debug, Args)]
pub struct EndingArgs {
    /// How long a replica that is asked to stop goes on while it says that it is not ready, in milliseconds: as long as
    /// balancers need to notice. Asked again, it stops at once.
    #[arg(long, env = "RENTALBOOK_DRAIN_NOTICE_MS", default_value_t = 0, value_name = "MS", value_parser = clap::value_parser!(u64).range(..=600_000))]
    pub drain_notice_ms: u64,
}

/// How a replica calls other services.
#[derive(Clone, Debug, Args)]
pub struct ClientArgs {
    /// What may be sent once more of what was sent to another service in the last 10 seconds, in percent, beside 10 a
    /// second: where all replicas of a service fail, requests are not multiplied by their number.
    #[arg(long, env = "RENTALBOOK_RETRY_BUDGET_PERCENT", default_value_t = 10, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub retry_budget_percent: u8,
}

/// One replica of order.
#[derive(Debug, Args)]
#[command(next_help_heading = "Order")]
pub struct OrderRole {
    /// Port that it listens on.
    #[arg(long, env = "RENTALBOOK_PORT", default_value_t = 8081, value_name = "PORT")]
    pub port: u16,

    /// Where rent is: one or several URLs, separated by commas. Every address that a name resolves to is a replica.
    #[arg(long, env = "RENTALBOOK_RENT_URL", default_value = "http://127.0.0.1:8082", value_name = "URLS", value_parser = service_address)]
    pub rent_url: ServiceAddress,

    /// How it listens.
    #[command(flatten)]
    pub server: ServerArgs,

    /// How it ends.
    #[command(flatten)]
    pub ending: EndingArgs,

    /// What it does.
    #[command(flatten)]
    pub order: OrderArgs,

    /// How it calls rent.
    #[command(flatten)]
    pub client: ClientArgs,

    /// What its events look like.
    #[command(flatten)]
    pub events: EventArgs,

    /// Its store.
    #[command(flatten)]
    pub postgres: PostgresArgs,

    /// The bus.
    #[command(flatten)]
    pub kafka: KafkaArgs,
}

/// One replica of rent.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rent")]
pub struct RentRole {
    /// Port that it listens on.
    #[arg(long, env = "RENTALBOOK_PORT", default_value_t = 8082, value_name = "PORT")]
    pub port: u16,

    /// How it listens.
    #[command(flatten)]
    pub server: ServerArgs,

    /// How it ends.
    #[command(flatten)]
    pub ending: EndingArgs,

    /// What it does.
    #[command(flatten)]
    pub rent: RentArgs,

    /// What its events look like.
    #[command(flatten)]
    pub events: EventArgs,

    /// Its store.
    #[command(flatten)]
    pub postgres: PostgresArgs,

    /// The bus.
    #[command(flatten)]
    pub kafka: KafkaArgs,
}

/// One replica of delivery.
#[derive(Debug, Args)]
#[command(next_help_heading = "Delivery")]
pub struct DeliveryRole {
    /// Port that it listens on.
    #[arg(long, env = "RENTALBOOK_PORT", default_value_t = 8083, value_name = "PORT")]
    pub port: u16,

    /// How it listens.
    #[command(flatten)]
    pub server: ServerArgs,

    /// How it ends.
    #[command(flatten)]
    pub ending: EndingArgs,

    /// What its events look like.
    #[command(flatten)]
    pub events: EventArgs,

    /// Its store.
    #[command(flatten)]
    pub postgres: PostgresArgs,

    /// The bus.
    #[command(flatten)]
    pub kafka: KafkaArgs,
}

/// One replica of mypage.
#[derive(Debug, Args)]
#[command(next_help_heading = "Mypage")]
pub struct MypageRole {
    /// Port that it listens on.
    #[arg(long, env = "RENTALBOOK_PORT", default_value_t = 8084, value_name = "PORT")]
    pub port: u16,

    /// How it listens.
    #[command(flatten)]
    pub server: ServerArgs,

    /// How it ends.
    #[command(flatten)]
    pub ending: EndingArgs,

    /// Its view.
    #[command(flatten)]
    pub redis: RedisArgs,

    /// The bus.
    #[command(flatten)]
    pub kafka: KafkaArgs,
}

/// One replica of the gateway.
#[derive(Debug, Args)]
#[command(next_help_heading = "Gateway")]
pub struct GatewayRole {
    /// Port that it listens on.
    #[arg(long, env = "RENTALBOOK_PORT", default_value_t = 8088, value_name = "PORT")]
    pub port: u16,

    /// Where order is: one or several URLs, separated by commas. Every address that a name resolves to is a replica.
    #[arg(long, env = "RENTALBOOK_ORDER_URL", default_value = "http://127.0.0.1:8081", value_name = "URLS", value_parser = service_address)]
    pub order_url: ServiceAddress,

    /// Where rent is: one or several URLs, separated by commas. Every address that a name resolves to is a replica.
    #[arg(long, env = "RENTALBOOK_RENT_URL", default_value = "http://127.0.0.1:8082", value_name = "URLS", value_parser = service_address)]
    pub rent_url: ServiceAddress,

    /// Where delivery is.
    #[arg(
        long,
        env = "RENTALBOOK_DELIVERY_URL",
        default_value = "http://127.0.0.1:8083",
        value_name = "URLS",
        value_parser = service_address
    )]
    pub delivery_url: ServiceAddress,

    /// Where mypage is.
    #[arg(long, env = "RENTALBOOK_MYPAGE_URL", default_value = "http://127.0.0.1:8084", value_name = "URLS", value_parser = service_address)]
    pub mypage_url: ServiceAddress,

    /// How it listens.
    #[command(flatten)]
    pub server: ServerArgs,

    /// How it ends.
    #[command(flatten)]
    pub ending: EndingArgs,

    /// What it does.
    #[command(flatten)]
    pub gateway: GatewayArgs,

    /// How it calls the services.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// All that is wrong with it, in one sentence.
fn service_address(text: &str) -> Result<ServiceAddress, String> {
    ServiceAddress::parse(text)
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// Any text is one; from here on it is shown to nobody.
fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

/// Whether the way to an engine is encrypted.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum TlsArg {
    /// It is not: for a network that only we can see.
    #[default]
    Disabled,
}

/// Where a service's rows are.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "PostgreSQL")]
pub struct PostgresArgs {
    /// Name or address of the server.
    #[arg(long, env = "RENTALBOOK_POSTGRES_HOST", default_value = "127.0.0.1", value_name = "HOST")]
    pub postgres_host: String,

    /// Its port.
    #[arg(long, env = "RENTALBOOK_POSTGRES_PORT", default_value_t = 5432, value_name = "PORT")]
    pub postgres_port: u16,

    /// The service's own database; it has to exist. `rentalbook_` and the name of the service, if nobody says.
    #[arg(long, env = "RENTALBOOK_POSTGRES_DATABASE", value_name = "NAME")]
    pub postgres_database: Option<String>,

    /// Who we are there.
    #[arg(long, env = "RENTALBOOK_POSTGRES_USER", default_value = "postgres", value_name = "NAME")]
    pub postgres_user: String,

    /// What proves it. On a command line everybody on the machine can read it: better a file, or the environment.
    #[arg(
        long,
        env = "RENTALBOOK_POSTGRES_PASSWORD",
        hide_env_values = true,
        hide_default_value = true,
        value_name = "SECRET",
        value_parser = secret
    )]
    pub postgres_password: Option<Secret>,

    /// A file that it is in; read again with every connection.
    #[arg(long, env = "RENTALBOOK_POSTGRES_PASSWORD_FILE", value_name = "FILE")]
    pub postgres_password_file: Option<std::path::PathBuf>,

    /// Whether the way there is encrypted.
    #[arg(long, env = "RENTALBOOK_POSTGRES_TLS", value_enum, default_value_t = TlsArg::Disabled, value_name = "HOW")]
    pub postgres_tls: TlsArg,

    /// Most connections for reading at once. Three more write, publish and look whether
    /// the server is there.
    #[arg(long, env = "RENTALBOOK_POSTGRES_CONNECTIONS", default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub postgres_connections: u32,

    /// How long connecting may take, in milliseconds, and waiting for a free connection.
    #[arg(long, env = "RENTALBOOK_POSTGRES_CONNECT_MS", default_value_t = 2_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub postgres_connect_ms: u64,

    /// How long a statement may take, in milliseconds.
    #[arg(long, env = "RENTALBOOK_POSTGRES_ANSWER_MS", default_value_t = 5_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub postgres_answer_ms: u64,
}

/// Where the events are.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaArgs {
    /// Some of the brokers, `host:port`, separated by commas.
    #[arg(
        long,
        env = "RENTALBOOK_KAFKA_BROKERS",
        value_delimiter = ',',
        default_value = "127.0.0.1:9092",
        value_name = "BROKERS"
    )]
    pub kafka_brokers: Vec<String>,

    /// Whether the way there is encrypted.
    #[arg(long, env = "RENTALBOOK_KAFKA_TLS", value_enum, default_value_t = TlsArg::Disabled, value_name = "HOW")]
    pub kafka_tls: TlsArg,

    /// The topic of all events.
    #[arg(long, env = "RENTALBOOK_KAFKA_TOPIC", default_value = contracts::TOPIC, value_name = "TOPIC")]
    pub kafka_topic: String,

    /// What the names of the consumer groups begin with, where several libraries share the brokers. Without it they
    /// are the names of the services.
    #[arg(long, env = "RENTALBOOK_KAFKA_GROUP_PREFIX", default_value = "", value_name = "TEXT")]
    pub kafka_group_prefix: String,

    /// Partitions of the topic, where it has to be made. One that is there keeps its own; the brokers' tools give it
    /// more at any time.
    #[arg(long, env = "RENTALBOOK_PARTITIONS", default_value_t = 12, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub partitions: u32,

    /// After so many milliseconds of silence a replica's partitions go to the others. 6000 is the least that brokers
    /// allow, 300000 the most that the client does.
    #[arg(long, env = "RENTALBOOK_KAFKA_SESSION_MS", default_value_t = 6_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(6_000..=300_000))]
    pub kafka_session_ms: u64,
}

/// Where mypage's view is.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Redis")]
pub struct RedisArgs {
    /// Name or address of the server.
    #[arg(long, env = "RENTALBOOK_REDIS_HOST", default_value = "127.0.0.1", value_name = "HOST")]
    pub redis_host: String,

    /// Its port.
    #[arg(long, env = "RENTALBOOK_REDIS_PORT", default_value_t = 6379, value_name = "PORT")]
    pub redis_port: u16,

    /// Number of the database.
    #[arg(long, env = "RENTALBOOK_REDIS_DATABASE", default_value_t = 0, value_name = "N")]
    pub redis_database: u16,

    /// Who we are there, where the server asks.
    #[arg(long, env = "RENTALBOOK_REDIS_USER", value_name = "NAME")]
    pub redis_user: Option<String>,

    /// What proves it. On a command line everybody on the machine can read it: better a file, or the environment.
    #[arg(
        long,
        env = "RENTALBOOK_REDIS_PASSWORD",
        hide_env_values = true,
        hide_default_value = true,
        value_name = "SECRET",
        value_parser = secret
    )]
    pub redis_password: Option<Secret>,

    /// A file that it is in; read again with every connection.
    #[arg(long, env = "RENTALBOOK_REDIS_PASSWORD_FILE", value_name = "FILE")]
    pub redis_password_file: Option<std::path::PathBuf>,

    /// Whether the way there is encrypted.
    #[arg(long, env = "RENTALBOOK_REDIS_TLS", value_enum, default_value_t = TlsArg::Disabled, value_name = "HOW")]
    pub redis_tls: TlsArg,

    /// What the names of all keys begin with, where others use the same database. Not empty.
    #[arg(long, env = "RENTALBOOK_REDIS_PREFIX", default_value = "rentalbook:", value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub redis_prefix: String,
}
