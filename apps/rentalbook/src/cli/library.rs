//! The settings of the services, by what they are about: each wiring takes what it needs of them.

use std::net::IpAddr;

use clap::{Args, ValueEnum, builder::FalseyValueParser};
use contracts::WireClock;
use gateway::OriginError;
use platform_http::TrustedPeers;
use rent::domain::Customer;

use crate::faults::Fault;

/// Settings of the library on one machine.
#[derive(Debug, Args)]
#[command(next_help_heading = "Library")]
pub struct LibraryArgs {
    /// How they listen.
    #[command(flatten)]
    pub server: ServerArgs,

    /// Where.
    #[command(flatten)]
    pub ports: PortArgs,

    /// What order does.
    #[command(flatten)]
    pub order: OrderArgs,

    /// What rent does.
    #[command(flatten)]
    pub rent: RentArgs,

    /// What the gateway does.
    #[command(flatten)]
    pub gateway: GatewayArgs,

    /// What the events look like.
    #[command(flatten)]
    pub events: EventArgs,

    /// Partitions of the topic. The data folder remembers them, 12 if nobody has said; they may grow, never shrink.
    #[arg(long, env = "RENTALBOOK_PARTITIONS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub partitions: Option<u32>,
}

/// How every service answers requests.
#[derive(Clone, Debug, Args)]
pub struct ServerArgs {
    /// Address that the services listen on. Anything but loopback lets other machines in: there is no
    /// authentication yet.
    #[arg(long, env = "RENTALBOOK_BIND", default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub bind: IpAddr,

    /// Most requests that one service works on at once; beyond it further ones are asked to come back.
    #[arg(long, env = "RENTALBOOK_MAX_IN_FLIGHT", default_value_t = 1024, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_in_flight: u32,

    /// A write to the service's store that takes longer, in milliseconds, has waited behind others: where all of them
    /// do, fewer writes are taken on at once, never less than 64, and further ones are asked to come back.
    #[arg(long, env = "RENTALBOOK_SHED_ABOVE_MS", default_value_t = 25, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub shed_above_ms: u64,

    /// Longest time that a request may take, in milliseconds.
    #[arg(long, env = "RENTALBOOK_REQUEST_DEADLINE_MS", default_value_t = 10_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub request_deadline_ms: u64,

    /// Proxies whose word about their clients is taken (`Forwarded`, `X-Forwarded-*`), separated by commas: addresses
    /// such as 10.0.0.7 and networks such as 10.1.0.0/16. Those in front of the gateway, and for a service in a process
    /// of its own the gateways. None by default.
    #[arg(long, env = "RENTALBOOK_TRUSTED_PROXIES", value_delimiter = ',', value_name = "PROXIES")]
    pub trusted_proxies: Vec<TrustedPeers>,

    /// That this is a drill: faults may be switched on, here and with `tools fault`. Never where somebody relies on it.
    #[arg(long, env = "RENTALBOOK_DRILLS", value_parser = FalseyValueParser::new())]
    pub drills: bool,

    /// Faults that are switched on from the beginning, in a drill only, separated by commas: `rent.delay=800ms..1100ms`,
    /// `rent.fail=10%`, `bus.delay=50ms`, `store.delay=1ms`, `store.full=on`.
    #[arg(long, env = "RENTALBOOK_FAULT", value_delimiter = ',', value_name = "FAULTS")]
    pub fault: Vec<Fault>,
}

/// The ports of the five services in one process.
#[derive(Debug, Args)]
pub struct PortArgs {
    /// Port of order. 0 takes any free port, as for the others.
    #[arg(long, env = "RENTALBOOK_ORDER_PORT", default_value_t = 8081, value_name = "PORT")]
    pub order_port: u16,

    /// Port of rent.
    #[arg(long, env = "RENTALBOOK_RENT_PORT", default_value_t = 8082, value_name = "PORT")]
    pub rent_port: u16,

    /// Port of delivery.
    #[arg(long, env = "RENTALBOOK_DELIVERY_PORT", default_value_t = 8083, value_name = "PORT")]
    pub delivery_port: u16,

    /// Port of mypage.
    #[arg(long, env = "RENTALBOOK_MYPAGE_PORT", default_value_t = 8084, value_name = "PORT")]
    pub mypage_port: u16,

    /// Port of the gateway.
    #[arg(long, env = "RENTALBOOK_GATEWAY_PORT", default_value_t = 8088, value_name = "PORT")]
    pub gateway_port: u16,
}

/// What order does.
#[derive(Clone, Debug, Args)]
pub struct OrderArgs {
    /// What is done with an order while rent does not answer: take it and confirm it later, or refuse it.
    #[arg(long, env = "RENTALBOOK_ON_RENT_UNAVAILABLE", value_enum, default_value_t = UnavailableArg::Defer, value_name = "POLICY")]
    pub on_rent_unavailable: UnavailableArg,

    /// Longest time that rent may take to answer, in milliseconds. Never more than four fifths of what a request has,
    /// less 100 ms.
    #[arg(long, env = "RENTALBOOK_RENT_DEADLINE_MS", default_value_t = 1000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub rent_deadline_ms: u64,

    /// Share of that time after which an answer, although it is taken, counts as a failure for the breaker, in percent.
    #[arg(long, env = "RENTALBOOK_RENT_SLOW_PERCENT", default_value_t = 80, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub rent_slow_percent: u8,

    /// How many of the last questions to rent the breaker looks at. In one process, one question is for up to 256
    /// orders.
    #[arg(long, env = "RENTALBOOK_RENT_BREAKER_CALLS", default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rent_breaker_calls: u32,

    /// How many of these, in percent, have to fail for the breaker to open: rent is not asked then, and orders wait or
    /// are refused at once.
    #[arg(long, env = "RENTALBOOK_RENT_BREAKER_PERCENT", default_value_t = 50, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub rent_breaker_percent: u8,

    /// How long rent is not asked, in milliseconds, and up to a fifth longer, which is another time in each process. Then
    /// a few questions show whether it is back.
    #[arg(long, env = "RENTALBOOK_RENT_BREAKER_OPEN_MS", default_value_t = 5000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub rent_breaker_open_ms: u64,

    /// How many of those questions are under way at most. One more than these have to end before rent is asked as ever,
    /// or given a rest again.
    #[arg(long, env = "RENTALBOOK_RENT_BREAKER_TRIALS", default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rent_breaker_trials: u32,

    /// Most questions to rent that are under way at once. One more is not asked, and does not wait for its turn.
    #[arg(long, env = "RENTALBOOK_RENT_MAX_CALLS", default_value_t = 128, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rent_max_calls: u32,

    /// How long an order may wait to be stored, in milliseconds. Then it is refused, and will not be stored.
    #[arg(long, env = "RENTALBOOK_STORE_DEADLINE_MS", default_value_t = 5000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub store_deadline_ms: u64,

    /// Age from which an order that a crash has left behind is asked for again, in milliseconds. Never less than what a
    /// request and a question to rent may take together.
    #[arg(long, env = "RENTALBOOK_RESUME_GRACE_MS", default_value_t = 15_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(..=3_600_000))]
    pub resume_grace_ms: u64,

    /// First pause after rent did not answer for an order that waits, in milliseconds. It doubles up to 20 times as
    /// much, and is up to a fifth shorter or longer, so that many processes do not ask together.
    #[arg(long, env = "RENTALBOOK_RESUME_PAUSE_MS", default_value_t = 100, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub resume_pause_ms: u64,

    /// Most orders that wait and are asked for at once when rent is back.
    #[arg(long, env = "RENTALBOOK_RESUME_CALLS", default_value_t = 32, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub resume_calls: u32,

    /// Most orders that wait for their confirmation; beyond it further ones are asked to come back.
    #[arg(long, env = "RENTALBOOK_MAX_PENDING", default_value_t = 1_000_000, value_name = "N")]
    pub max_pending: u64,
}

/// What rent does.
#[derive(Clone, Debug, Default, Args)]
pub struct RentArgs {
    /// Customers who may not borrow at present, separated by commas.
    #[arg(long, env = "RENTALBOOK_SUSPENDED_CUSTOMERS", value_delimiter = ',', value_name = "CUSTOMERS", value_parser = customer)]
    pub suspended_customers: Vec<Customer>,
}

/// What the gateway does.
#[derive(Clone, Debug, Default, Args)]
pub struct GatewayArgs {
    /// Web origins whose pages may call the gateway, separated by commas, such as <https://library.example>. None by
    /// default.
    #[arg(long, env = "RENTALBOOK_CORS_ORIGINS", value_delimiter = ',', value_name = "ORIGINS", value_parser = origin)]
    pub cors_origins: Vec<String>,
}

/// What the events look like.
#[derive(Clone, Debug, Args)]
pub struct EventArgs {
    /// Time zone of the events' `timestamp`, an IANA name.
    #[arg(long, env = "RENTALBOOK_TIME_ZONE", default_value = "Asia/Seoul", value_name = "ZONE", value_parser = WireClock::in_zone)]
    pub time_zone: WireClock,
}

fn customer(text: &str) -> Result<Customer, &'static str> {
    Customer::parse(text).ok_or("a customer has 1 to 100 characters")
}

fn origin(text: &str) -> Result<String, OriginError> {
    gateway::check_origin(text).map(|()| text.to_owned())
}

/// `on_rent_unavailable`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum UnavailableArg {
    /// 202, and confirmed as soon as rent is back.
    Defer,
    /// 503 with Retry-After, and nothing stays behind.
    Reject,
}
