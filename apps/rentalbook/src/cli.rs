//! The command line.

#[cfg(all(test, feature = "distributed"))]
mod documented;
#[cfg(feature = "distributed")]
mod file;
mod library;
#[cfg(feature = "distributed")]
mod passwords;
mod read;
#[cfg(feature = "distributed")]
mod roles;
mod tools;

use std::path::PathBuf;

use clap::builder::styling::Styles;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use library::{
    EventArgs, GatewayArgs, LibraryArgs, OrderArgs, PortArgs, RentArgs, ServerArgs, UnavailableArg,
};
pub use read::{Misread, read};
#[cfg(feature = "distributed")]
pub use roles::{
    ClientArgs, DeliveryRole, EndingArgs, GatewayRole, KafkaArgs, MypageRole, OrderRole, PostgresArgs,
    RedisArgs, RentRole, TlsArg,
};
pub use tools::{Dlq, ServiceArg, Tool};

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

    /// File with settings by the names of these options, in TOML: `port = 8181`. Below `[rent]` stands what is meant
    /// for that service alone. Options and the environment go before it.
    #[cfg(feature = "distributed")]
    #[arg(long, global = true, env = "RENTALBOOK_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Log formats.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogArg {
    /// Readable lines.
    Text,
    /// One JSON object per line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look after a library: check it, stop and start its services, its dead letters, its view.
    ///
    /// The tools ask the library that runs on the data folder. The audit, the dead letters and the rebuilding also
    /// work while none is running.
    Tools(ToolsArgs),

    /// Run one replica of order, 대여요청, on PostgreSQL and Kafka.
    #[cfg(feature = "distributed")]
    Order(OrderRole),

    /// Run one replica of rent, 대여, on PostgreSQL and Kafka.
    #[cfg(feature = "distributed")]
    Rent(RentRole),

    /// Run one replica of delivery, 배송, on PostgreSQL and Kafka.
    #[cfg(feature = "distributed")]
    Delivery(DeliveryRole),

    /// Run one replica of mypage, 내 대여 현황, on Redis and Kafka.
    #[cfg(feature = "distributed")]
    Mypage(MypageRole),

    /// Run one replica of the gateway, 게이트웨이, before the replicas of the others.
    #[cfg(feature = "distributed")]
    Gateway(GatewayRole),
}

/// Which library is looked after, and how.
#[derive(Debug, Args)]
pub struct ToolsArgs {
    /// The library that runs in many processes, instead of the one in the data folder. What is set for its services,
    /// in the environment or in the file of `--config`, says where it is.
    #[cfg(feature = "distributed")]
    #[arg(long, global = true, env = "RENTALBOOK_DISTRIBUTED")]
    pub distributed: bool,

    /// The tool.
    #[command(subcommand)]
    pub tool: Tool,
}
