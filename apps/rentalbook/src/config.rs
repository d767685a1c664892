//! The settings of the library: their defaults, and how they come from the command line.

use std::{collections::HashSet, net::IpAddr, path::PathBuf, time::Duration};

use contracts::WireClock;
use order::application::{OnRentUnavailable, Resuming};
use platform_http::{Limits, TrustedPeers};
use platform_resilience::{GuardConfig, PressureConfig};

use crate::{
    cli::{EventArgs, GatewayArgs, LibraryArgs, OrderArgs, RentArgs, ServerArgs, UnavailableArg},
    faults::Faults,
};

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
    /// How order asks rent.
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
            resuming: Resuming::default(),
            rents: rent::domain::Policy { suspended: HashSet::new() },
            limits: Limits::default(),
            pressure: PressureConfig::default(),
            cors_origins: Vec::new(),
            trusted_proxies: TrustedPeers::default(),
            wire_clock: WireClock::default(),
            partitions: None,
            drain_notice: Duration::ZERO,
            faults: None,
        }
    }

    /// The same with `on_rent_unavailable`.
    #[must_use]
    pub fn on_rent_unavailable(mut self, policy: OnRentUnavailable) -> Self {
        self.orders.on_rent_unavailable = policy;
        self
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
        self.rent_guard = GuardConfig {
            deadline: Duration::from_millis(args.rent_deadline_ms),
            slow: f64::from(args.rent_slow_percent) / 100.0,
            window: args.rent_breaker_calls as usize,
            failure_rate: f32::from(args.rent_breaker_percent) / 100.0,
            open_for: Duration::from_millis(args.rent_breaker_open_ms),
            trials: args.rent_breaker_trials as usize,
            at_once: args.rent_max_calls as usize,
        };
        self.orders.call_deadline = self.rent_guard.deadline;
        self.rest_before_resuming();
    }

    /// What a crash has left is taken up only when no call for it can be under way any more.
    fn rest_before_resuming(&mut self) {
        let longest_call = self.limits.deadline + self.rent_guard.deadline;
        self.resuming.grace = Resuming::default().grace.max(longest_call);
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
}
