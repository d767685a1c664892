//! The settings of the library: their defaults, and how they come from the command line.

use std::{collections::HashSet, net::IpAddr, path::PathBuf, time::Duration};

use contracts::WireClock;
use order::application::{OnRentUnavailable, Resuming, TO_COMMIT_AND_ANSWER};
#[cfg(feature = "distributed")]
use platform_http::client::ClientConfig;
use platform_http::{Limits, TrustedPeers};
use platform_resilience::{GuardConfig, PressureConfig, jittered};

#[cfg(feature = "distributed")]
use crate::cli::ClientArgs;
use crate::{
    cli::{EventArgs, GatewayArgs, LibraryArgs, OrderArgs, RentArgs, ServerArgs, UnavailableArg},
    faults::Faults,
};

/// So many times its first pause is the longest of the resume worker.
const LONGEST_PAUSE: u32 = 20;

/// Settings of the library.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder of its state.
    pub data: PathBuf,
    /// Address that the services listen on.
    pub bind: IpAddr,
    /// Ports of order, rent, delivery, mypage and gateway; 0 takes any free one.
    pub ports: [u16; 5],
    /// What order does.
    pub orders: order::application::Policy,
    /// How order asks rent, as it is set: see [`Config::guard_of_rent`].
    pub rent_guard: GuardConfig,
    /// How order resumes what is pending.
    pub resuming: Resuming,
    /// What rent's rules need.
    pub rents: rent::domain::Policy,
    /// Limits of every service.
    pub limits: Limits,
    /// When a service takes on less, because its store does not keep up.
    pub pressure: PressureConfig,
    /// Web origins whose pages may call the gateway.
    pub cors_origins: Vec<String>,
    /// Proxies whose word about their clients is taken.
    pub trusted_proxies: TrustedPeers,
    /// Time zone of the events' `timestamp`.
    pub wire_clock: WireClock,
    /// Partitions of the topic; as many as it has, or the default, where nobody says.
    pub partitions: Option<u32>,
    /// How long a replica that is asked to stop goes on, not ready any more.
    pub drain_notice: Duration,
    /// How other services are called.
    #[cfg(feature = "distributed")]
    pub client: ClientConfig,
    /// What goes wrong on purpose, in a process that was started for drills.
    pub faults: Option<Faults>,
}

impl Config {
    /// The defaults, with the state in `data`.
    #[must_use]
    pub fn new(data: PathBuf) -> Self {
        Self {
            data,
            bind: IpAddr::from([127, 0, 0, 1]),
            ports: [8081, 8082, 8083, 8084, 8088],
            orders: order::application::Policy::default(),
            rent_guard: GuardConfig::default(),
            resuming: Resuming { jitter: jittered, ..Resuming::default() },
            rents: rent::domain::Policy { suspended: HashSet::new() },
            limits: Limits::default(),
            pressure: PressureConfig::default(),
            cors_origins: Vec::new(),
            trusted_proxies: TrustedPeers::default(),
            wire_clock: WireClock::default(),
            partitions: None,
            drain_notice: Duration::ZERO,
            #[cfg(feature = "distributed")]
            client: ClientConfig::default(),
            faults: None,
        }
    }

    /// The same with `on_rent_unavailable`.
    #[must_use]
    pub fn on_rent_unavailable(mut self, policy: OnRentUnavailable) -> Self {
        self.orders.on_rent_unavailable = policy;
        self
    }

    /// How order asks rent: within what a request has beside storing the order, before and after. With a longer
    /// deadline every question that is late would be that of a customer in a hurry, which says nothing about rent, and
    /// the breaker would never open.
    #[must_use]
    pub fn guard_of_rent(&self) -> GuardConfig {
        let left = self.limits.deadline.saturating_sub(TO_COMMIT_AND_ANSWER);
        // A fifth is for the store to take the order.
        let at_most = (left * 4 / 5).max(Duration::from_millis(1));
        GuardConfig { deadline: self.rent_guard.deadline.min(at_most), ..self.rent_guard }
    }
}

/// What the command line says of them.
impl Config {
    /// Of the library on one machine.
    #[must_use]
    pub fn from_args(data: PathBuf, args: &LibraryArgs) -> Self {
        let ports = &args.ports;
        let mut config = Self {
            ports: [
                ports.order_port,
                ports.rent_port,
                ports.delivery_port,
                ports.mypage_port,
                ports.gateway_port,
            ],
            partitions: args.partitions,
            ..Self::new(data)
        };
        config.set_server(&args.server);
        config.set_order(&args.order);
        config.set_rent(&args.rent);
        config.set_gateway(&args.gateway);
        config.set_events(&args.events);
        config
    }

    /// How the services answer requests.
    pub fn set_server(&mut self, args: &ServerArgs) {
        self.bind = args.bind;
        self.limits.in_flight = args.max_in_flight as usize;
        self.pressure.target = Duration::from_millis(args.shed_above_ms);
        self.limits.deadline = Duration::from_millis(args.request_deadline_ms);
        self.trusted_proxies = args.trusted_proxies.iter().cloned().collect();
        self.faults = args.drills.then(|| Faults::new(&args.fault));
        self.rest_before_resuming();
    }

    /// What order does.
    pub fn set_order(&mut self, args: &OrderArgs) {
        self.orders.on_rent_unavailable = match args.on_rent_unavailable {
            UnavailableArg::Defer => OnRentUnavailable::Defer,
            UnavailableArg::Reject => OnRentUnavailable::Reject,
        };
        self.orders.max_pending = args.max_pending;
        self.orders.store_deadline = Duration::from_millis(args.store_deadline_ms);
        let pause = Duration::from_millis(args.resume_pause_ms);
        self.resuming = Resuming {
            grace: Duration::from_millis(args.resume_grace_ms),
            pause,
            max_pause: pause * LONGEST_PAUSE,
            concurrency: args.resume_calls as usize,
            ..self.resuming
        };
        self.rent_guard = GuardConfig {
            deadline: Duration::from_millis(args.rent_deadline_ms),
            slow: f64::from(args.rent_slow_percent) / 100.0,
            window: args.rent_breaker_calls as usize,
            failure_rate: f32::from(args.rent_breaker_percent) / 100.0,
            open_for: Duration::from_millis(args.rent_breaker_open_ms),
            trials: args.rent_breaker_trials as usize,
            at_once: args.rent_max_calls as usize,
        };
        self.rest_before_resuming();
    }

    /// What a crash has left is taken up only when no call for it can be under way any more.
    fn rest_before_resuming(&mut self) {
        let longest_call = self.limits.deadline + self.rent_guard.deadline;
        self.resuming.grace = self.resuming.grace.max(longest_call);
    }

    /// What rent does.
    pub fn set_rent(&mut self, args: &RentArgs) {
        self.rents = rent::domain::Policy { suspended: args.suspended_customers.iter().cloned().collect() };
    }

    /// What the gateway does.
    pub fn set_gateway(&mut self, args: &GatewayArgs) {
        self.cors_origins.clone_from(&args.cors_origins);
    }

    /// What the events look like.
    pub fn set_events(&mut self, args: &EventArgs) {
        self.wire_clock = args.time_zone.clone();
    }
    /// How other services are called.
    #[cfg(feature = "distributed")]
    pub fn set_client(&mut self, args: &ClientArgs) {
        self.client.repeated = f32::from(args.retry_budget_percent) / 100.0;
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use clap::Parser as _;
    use platform_resilience::{CallError, Guard, State};
    use tokio::time::Instant;

    use super::*;
    use crate::cli::Cli;

    fn config(line: &str) -> Config {
        let args = std::iter::once("rentalbook").chain(line.split_whitespace());
        Config::from_args(PathBuf::new(), &Cli::parse_from(args).library)
    }

    #[test]
    fn who_sets_nothing_gets_what_a_library_has_without_a_command_line() {
        let (told, default) = (config(""), Config::new(PathBuf::new()));
        assert_eq!(told.rent_guard, default.rent_guard);
        let resuming = |config: &Config| {
            let Resuming { grace, idle, pause, max_pause, concurrency, jitter: _ } = config.resuming;
            (grace, idle, pause, max_pause, concurrency)
        };
        assert_eq!(resuming(&told), resuming(&default));
        let orders = |config: &Config| {
            let orders = config.orders;
            (orders.on_rent_unavailable, orders.max_pending, orders.store_deadline, orders.call_deadline)
        };
        assert_eq!(orders(&told), orders(&default));
        assert_eq!(told.guard_of_rent(), default.rent_guard);
    }

    #[test]
    fn what_a_crash_has_left_is_left_alone_as_long_as_a_call_for_it_may_take() {
        assert_eq!(config("--resume-grace-ms 1").resuming.grace, Duration::from_secs(11));
        assert_eq!(config("--request-deadline-ms 60000").resuming.grace, Duration::from_secs(61));
        assert_eq!(config("--resume-grace-ms 99000").resuming.grace, Duration::from_secs(99));
    }

    #[test]
    fn the_pauses_of_a_library_are_not_the_same_in_every_process() {
        let pauses: Vec<_> = (0..100).map(|_| (config("").resuming.jitter)(Duration::from_secs(1))).collect();
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn where_requests_have_less_time_than_rent_a_rent_that_hangs_is_given_a_rest_all_the_same() {
        for line in ["--request-deadline-ms 500", "--request-deadline-ms 1000 --rent-slow-percent 100"] {
            let config = config(line);
            let guard = Guard::new("rent", config.guard_of_rent());
            for _ in 0..21 {
                assert_eq!(guard.breaker().state, State::Closed, "{line}");
                // As order does it, which has taken 10 ms to store it.
                let begun = Instant::now();
                let until = begun + config.limits.deadline - TO_COMMIT_AND_ANSWER;
                tokio::time::advance(Duration::from_millis(10)).await;
                let late = guard.call(Some(until), pending::<Result<(), &str>>()).await;
                assert_eq!(late, Err(CallError::Late));
                assert!(begun.elapsed() < config.limits.deadline);
            }
            assert_eq!(guard.breaker().state, State::Open, "{line}");
        }
    }
}
