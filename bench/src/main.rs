//! Measures the library against baselines of the same run: `make bench`.
//!
//! Every figure is a ratio or is reported as such; both sides run on the same machine, interleaved, with the same
//! load generator; what is printed is the median of the rounds.

#![allow(clippy::print_stdout, reason = "a program that prints a table")]

mod baseline;
#[cfg(feature = "distributed")]
mod distributed;
mod drills;
mod figures;
mod group_commit;
mod lag;
mod library;
mod load;
mod measure;
mod visible;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Measures the library.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything, as a table and a JSON file.
    Run(measure::Options),
    /// Only the load of orders: for a profiler, and to compare programs in turns.
    Orders {
        /// Seconds of load of each turn.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// Turns of each program.
        #[arg(long, default_value_t = 1)]
        rounds: usize,
        /// The library's program; given several times, they are compared.
        #[arg(long, default_value = "target/release/rentalbook")]
        program: Vec<PathBuf>,
    },
    /// Something is taken away from a running library, under load.
    Drill(drills::Options),
    /// The library over many processes, as a table and a JSON file.
    #[cfg(feature = "distributed")]
    Distributed(distributed::Options),
    /// What `distributed` starts beside the library.
    #[cfg(feature = "distributed")]
    #[command(subcommand, hide = true)]
    Beside(distributed::Beside),
    /// The baseline: a server that answers the same bytes and does nothing else.
    #[command(hide = true)]
    Baseline(baseline::Options),
}

fn main() {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Baseline(options) => baseline::serve(options),
        #[cfg(feature = "distributed")]
        Command::Distributed(options) => distributed::run(&options),
        #[cfg(feature = "distributed")]
        Command::Beside(what) => distributed::beside(what),
        Command::Drill(options) => drills::run(&options),
        Command::Run(options) => measure::run(&options),
        Command::Orders { seconds, rounds, program } => measure::compare_orders(&program, rounds, seconds),
    };
    if let Err(error) = result {
        println!("{error}");
        std::process::exit(1);
    }
}

/// Whatever goes wrong ends the measurement with its text.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
