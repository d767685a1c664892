//! Drills: something is taken away from a running library, under load. Each prints a table and ends with the audit, also
//! where it breaks off, and fails where a figure is not as it should be; that the load was there is one of the figures.

mod audited;
mod breaker;
mod delivery_down;
mod disk_full;
mod library;
mod offered;
mod overload;
mod rent_dead;
mod report;
mod shed;
mod slow_client;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::Result;
use report::Report;

/// Which drill, on what.
#[derive(Args)]
pub(crate) struct Options {
    /// The drill.
    #[arg(value_enum)]
    drill: Drill,
    /// The library's program.
    #[arg(long, default_value = "target/release/rentalbook")]
    program: PathBuf,
    /// Where the data folder is made; on the disk that the library will use.
    #[arg(long, default_value = "target/bench")]
    scratch: PathBuf,
    /// Each phase takes this share of its time: less than 1 to try a drill out.
    #[arg(long, default_value_t = 1.0)]
    time: f64,
}

impl Options {
    /// So many seconds, or the share of them that is wanted.
    fn seconds(&self, seconds: f64) -> std::time::Duration {
        std::time::Duration::from_secs_f64(seconds * self.time)
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Drill {
    /// Rent takes 800 to 1,100 ms, with a limit of 1,000 ms; siege with 1, 10 and 100 users.
    Breaker,
    /// Rent is down for a minute under 2,000 orders a second.
    RentDead,
    /// Delivery is down while orders are taken, and comes back.
    DeliveryDown,
    /// Ten times more is asked for than can be done.
    Overload,
    /// The disk fills up, and has room again.
    DiskFull,
    /// Clients that send slowly, or nothing, on 10,000 connections.
    SlowClient,
}

/// Runs one drill; an error where a figure is not as it should be. Whatever comes of it, what was found is printed.
pub(crate) fn run(options: &Options) -> Result<()> {
    std::fs::create_dir_all(&options.scratch)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report::default();
    let ended = runtime.block_on(async {
        match options.drill {
            Drill::Breaker => breaker::drill(options, &mut report).await,
            Drill::RentDead => rent_dead::drill(options, &mut report).await,
            Drill::DeliveryDown => delivery_down::drill(options, &mut report).await,
            Drill::Overload => overload::drill(options, &mut report).await,
            Drill::DiskFull => disk_full::drill(options, &mut report).await,
            Drill::SlowClient => slow_client::drill(options, &mut report).await,
        }
    });
    if let Err(error) = ended {
        report.broke_off(&error.to_string());
    }
    println!("{report}");
    if report.is_met() { Ok(()) } else { Err("not everything is as it should be, see above".into()) }
}
