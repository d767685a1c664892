//! The command line.

use std::{net::IpAddr, path::PathBuf};

use clap::builder::styling::Styles;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

/// An online library that lends books to the door.
///
/// Without a command it is the whole library on this machine: five services in one process, their state in the
/// data folder, nothing to install. Ctrl-C stops it; nothing that was answered is ever lost, not even by kill -9.
#[derive(Debug, Parser)]
#[command(name = "rentalbook", version = crate::version::TEXT, styles = Styles::plain(), after_help = EXAMPLES)]
pub struct Cli {
    /// What to do instead of running the library.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Settings of the library.
    #[command(flatten)]
    pub library: LibraryArgs,

    /// Where and how the library is reached.
    #[command(flatten)]
    pub common: CommonArgs,
}

const EXAMPLES: &str = "\
Examples:
  rentalbook                               run the library, state in ./data
  rentalbook --data /var/lib/rentalbook    the same, state elsewhere
  rentalbook tools stop rent               take one service of the running library down …
  rentalbook tools start rent              … and bring it back
  rentalbook tools audit                   check that no order was lost or doubled

Every option can also be set in the environment, by the name in brackets. RENTALBOOK_LOG=debug shows more.";

/// What every command needs.
#[derive(Debug, Args)]
pub struct CommonArgs {
    /// Folder of the library's state; made if it is missing. One process at a time uses it.
    #[arg(long, global = true, env = "RENTALBOOK_DATA", default_value = "data", value_name = "FOLDER")]
    pub data: PathBuf,

    /// How log lines look.
    #[arg(long, global = true, env = "RENTALBOOK_LOG_FORMAT", value_enum, default_value_t = LogArg::Text, value_name = "FORMAT")]
    pub log: LogArg,
}

/// Log formats.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogArg {
    /// Readable lines.
    Text,
    /// One JSON object per line.
    Json,
}

/// Settings of the library.
#[derive(Debug, Args)]
#[command(next_help_heading = "Library")]
pub struct LibraryArgs {
    /// Address that the services listen on. Anything but loopback lets other machines in: there is no
    /// authentication yet.
    #[arg(long, env = "RENTALBOOK_BIND", default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub bind: IpAddr,

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

    /// What is done with an order while rent does not answer: take it and confirm it later, or refuse it.
    #[arg(long, env = "RENTALBOOK_ON_RENT_UNAVAILABLE", value_enum, default_value_t = UnavailableArg::Defer, value_name = "POLICY")]
    pub on_rent_unavailable: UnavailableArg,

    /// Longest time that rent may take to answer, in milliseconds.
    #[arg(long, env = "RENTALBOOK_RENT_DEADLINE_MS", default_value_t = 1000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub rent_deadline_ms: u64,

    /// Most orders that wait for their confirmation; beyond it further ones are asked to come back.
    #[arg(long, env = "RENTALBOOK_MAX_PENDING", default_value_t = 1_000_000, value_name = "N")]
    pub max_pending: u64,

    /// Most requests that one service works on at once; beyond it further ones are asked to come back.
    #[arg(long, env = "RENTALBOOK_MAX_IN_FLIGHT", default_value_t = 1024, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_in_flight: u32,

    /// Longest time that a request may take, in milliseconds.
    #[arg(long, env = "RENTALBOOK_REQUEST_DEADLINE_MS", default_value_t = 10_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub request_deadline_ms: u64,

    /// Customers who may not borrow at present, separated by commas.
    #[arg(long, env = "RENTALBOOK_SUSPENDED_CUSTOMERS", value_delimiter = ',', value_name = "CUSTOMERS")]
    pub suspended_customers: Vec<String>,

    /// Web origins whose pages may call the gateway, separated by commas, such as <https://library.example>. None by
    /// default.
    #[arg(long, env = "RENTALBOOK_CORS_ORIGINS", value_delimiter = ',', value_name = "ORIGINS")]
    pub cors_origins: Vec<String>,

    /// Proxies in front of the gateway whose word about their clients is taken (`Forwarded`, `X-Forwarded-*`), separated
    /// by commas: addresses such as 10.0.0.7 and networks such as 10.1.0.0/16. None by default.
    #[arg(long, env = "RENTALBOOK_TRUSTED_PROXIES", value_delimiter = ',', value_name = "PROXIES")]
    pub trusted_proxies: Vec<String>,

    /// Time zone of the events' `timestamp`, an IANA name.
    #[arg(long, env = "RENTALBOOK_TIME_ZONE", default_value = "Asia/Seoul", value_name = "ZONE")]
    pub time_zone: String,

    /// Partitions of the topic. The data folder remembers them, 12 if nobody has said; they may grow, never shrink.
    #[arg(long, env = "RENTALBOOK_PARTITIONS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub partitions: Option<u32>,
}

/// `on_rent_unavailable`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum UnavailableArg {
    /// 202, and confirmed as soon as rent is back.
    Defer,
    /// 503 with Retry-After, and nothing stays behind.
    Reject,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look after a library: check it, stop and start its services, its dead letters, its view.
    ///
    /// The tools ask the library that runs on the data folder. The audit, the dead letters and the rebuilding also
    /// work while none is running.
    #[command(subcommand)]
    Tools(Tool),
}

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

/// What is wrong with a command line, and the tip if there is one, without the rest that clap would print.
#[must_use]
pub fn in_one_sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraphs = text.split("\n\n").enumerate();
    let parts = paragraphs.filter(|(n, part)| *n == 0 || part.trim_start().starts_with("tip:"));
    let in_one_line = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    let parts: Vec<_> = parts.map(|(_, part)| in_one_line(part)).collect();
    format!("{}; `rentalbook --help` shows what there is\n", parts.join("; ").trim_start_matches("error: "))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_mistake_is_one_sentence() {
        for (line, sentence) in [
            (
                "--order-prot 1",
                "unexpected argument '--order-prot' found; tip: a similar argument exists: '--order-port'",
            ),
            ("--order-port x", "invalid value 'x' for '--order-port <PORT>': invalid digit found in string"),
            ("--log loud", "invalid value 'loud' for '--log <FORMAT>' [possible values: text, json]"),
        ] {
            let args = std::iter::once("rentalbook").chain(line.split(' '));
            let error = Cli::try_parse_from(args).expect_err("a mistake");
            let expected = format!("{sentence}; `rentalbook --help` shows what there is\n");
            assert_eq!(in_one_sentence(&error), expected);
        }
    }
}
