//! What looks after a library, as it is written on the command line and sent to a running one.

use clap::{Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::faults::Fault;

/// The tools.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum Tool {
    /// Walk all stores and the topic, and report every order that was lost, doubled or contradicts itself.
    ///
    /// Exit code 0: no breach; 1: breaches, listed with their order ids, or no audit at all, with the reason. What
    /// contradicts itself for good is reported at once. In a running library, orders that are still on their way are
    /// looked at again for up to 30 seconds; how many of them are under way then is said below the result and is no
    /// breach. So is an order with an open dead letter.
    Audit,
    /// Take a service of the running library down: its port closes, it consumes and publishes nothing.
    Stop {
        /// Which service.
        service: ServiceArg,
    },
    /// Bring a stopped service back: it catches up on what it missed.
    Start {
        /// Which service.
        service: ServiceArg,
    },
    /// Build the customers' view again from the topic, beside the live one, and swap them.
    RebuildView,
    /// Switch faults of a running library that was started for drills (`--drills`), and list those that are on.
    Fault {
        /// Such as `rent.delay=800ms..1100ms`, `rent.fail=10%`, `bus.delay=50ms`, `store.delay=1ms`, `store.full=on`;
        /// each of them `=off`.
        #[arg(value_name = "FAULT")]
        faults: Vec<Fault>,
    },
    /// Dead letters: events that a service could not handle and never will without help.
    #[command(subcommand)]
    Dlq(Dlq),
}

/// What can be done with dead letters.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum Dlq {
    /// List the open ones, oldest first.
    List,
    /// Show one with its reason, where it comes from and its content.
    Show {
        /// Its id, as `list` shows it, such as 3-17.
        id: String,
    },
    /// Publish its record again for every service, and settle it.
    Replay {
        /// Its id.
        id: String,
    },
    /// Settle it without doing anything with its record.
    Drop {
        /// Its id.
        id: String,
    },
}

/// The services that can be stopped and started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
pub enum ServiceArg {
    /// 대여요청
    Order,
    /// 대여
    Rent,
    /// 배송
    Delivery,
    /// 내 대여 현황
    Mypage,
    /// 게이트웨이
    Gateway,
}
