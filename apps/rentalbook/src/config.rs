//! The settings of the library: their defaults, and how they come from the command line.

use std::{collections::HashSet, net::IpAddr, path::PathBuf, time::Duration};

use contracts::WireClock;
use order::application::{OnRentUnavailable, Resuming};
use platform_http::{Limits, TrustedPeers};
use platform_resilience::GuardConfig;

use crate::cli::{LibraryArgs, UnavailableArg};

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
    /// Web origins whose pages may call the gateway.
    pub cors_origins: Vec<String>,
    /// Proxies in front of the gateway whose word about their clients is taken.
    pub trusted_proxies: TrustedPeers,
    /// Time zone of the events' `timestamp`.
    pub wire_clock: WireClock,
    /// Partitions of the topic; as many as it has, or the default, where nobody says.
    pub partitions: Option<u32>,
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
            cors_origins: Vec::new(),
            trusted_proxies: TrustedPeers::default(),
            wire_clock: WireClock::default(),
            partitions: None,
        }
    }

    /// The same with `on_rent_unavailable`.
    #[must_use]
    pub fn on_rent_unavailable(mut self, policy: OnRentUnavailable) -> Self {
        self.orders.on_rent_unavailable = policy;
        self
    }
}

impl Config {
    /// From the command line. All mistakes are told at once.
    pub fn from_args(data: PathBuf, args: LibraryArgs) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let wire_clock = WireClock::in_zone(&args.time_zone).unwrap_or_else(|mistake| {
            mistakes.push(format!("--time-zone: {mistake}"));
            WireClock::default()
        });
        let suspended = args.suspended_customers.iter().filter_map(|text| {
            let customer = rent::domain::Customer::parse(text);
            if customer.is_none() {
                mistakes.push(format!(
                    "--suspended-customers: \"{text}\" is not a customer of 1 to 100 characters"
                ));
            }
            customer
        });
        let rents = rent::domain::Policy { suspended: suspended.collect() };
        let origins = args.cors_origins.iter().filter_map(|origin| gateway::check_origin(origin).err());
        mistakes.extend(origins.map(|mistake| format!("--cors-origins: {mistake}")));
        let proxies = args.trusted_proxies.iter().map(|proxy| proxy.parse::<TrustedPeers>());
        let (proxies, wrong): (Vec<_>, Vec<_>) = proxies.partition(Result::is_ok);
        mistakes.extend(
            wrong.into_iter().filter_map(Result::err).map(|mistake| format!("--trusted-proxies: {mistake}")),
        );
        let defaults = Self::new(data);
        let config = Self {
            bind: args.bind,
            ports: [args.order_port, args.rent_port, args.delivery_port, args.mypage_port, args.gateway_port],
            orders: order::application::Policy {
                on_rent_unavailable: match args.on_rent_unavailable {
                    UnavailableArg::Defer => OnRentUnavailable::Defer,
                    UnavailableArg::Reject => OnRentUnavailable::Reject,
                },
                max_pending: args.max_pending,
                ..defaults.orders
            },
            rent_guard: GuardConfig {
                deadline: Duration::from_millis(args.rent_deadline_ms),
                ..defaults.rent_guard
            },
            limits: Limits {
                in_flight: args.max_in_flight as usize,
                deadline: Duration::from_millis(args.request_deadline_ms),
                ..defaults.limits
            },
            resuming: Resuming {
                // Longer than any call that is under way.
                grace: defaults
                    .resuming
                    .grace
                    .max(Duration::from_millis(args.request_deadline_ms + args.rent_deadline_ms)),
                ..defaults.resuming
            },
            rents,
            cors_origins: args.cors_origins,
            trusted_proxies: proxies.into_iter().flatten().collect(),
            wire_clock,
            partitions: args.partitions,
            ..defaults
        };
        if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
    }
}
