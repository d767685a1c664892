//! The library over many processes, on a real PostgreSQL, Kafka and Redis: `make bench-distributed`.

mod backlog;
mod insert;
mod site;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

use crate::{
    Result,
    figures::{Figure, median, show},
    library::Baseline,
    load::{self, Outcome, Until, get_items, post_orders},
    visible,
};
use site::Site;

/// How much is measured.
#[derive(Args)]
pub(crate) struct Options {
    /// The library's program, with the feature `distributed`.
    #[arg(long, default_value = "target/distributed/release/rentalbook")]
    program: PathBuf,
    /// Rounds of every ratio.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of load of a round.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Records of the backlog.
    #[arg(long, default_value_t = 100_000)]
    backlog: u64,
    /// Where the figures are written.
    #[arg(long, default_value = "bench/results/distributed.json")]
    output: PathBuf,
}

/// What the measurement starts beside itself.
#[derive(Subcommand)]
pub(crate) enum Beside {
    /// A server that inserts the row of an order, each in its own transaction.
    Insert(insert::Options),
}

/// Serves until it is killed.
pub(crate) fn beside(what: Beside) -> Result<()> {
    match what {
        Beside::Insert(options) => insert::serve(options),
    }
}

/// Measures everything.
pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let figures = runtime.block_on(measure(options))?;
    show(&figures, &options.output)
}

async fn measure(options: &Options) -> Result<Vec<Figure>> {
    println!("… engines and services start");
    let site = Site::start(&options.program).await?;
    let insert = insert::Inserting::start(&site).await?;
    let mut figures = complete_orders(options, &site, &insert).await?;
    figures.push(memory(&site)?);
    figures.extend(reads(options, &site).await?);
    site.stop_services();
    figures.push(backlog::figure(options, &site, &insert).await?);
    Ok(figures)
}

fn checked(outcome: Outcome) -> Result<Outcome> {
    match outcome.refused {
        0 => Ok(outcome),
        refused => Err(format!("{refused} of {} answers had another status", outcome.answered).into()),
    }
}

/// How long the library and its baseline work before they are measured.
const WARM_UP: Duration = Duration::from_secs(60);

/// Orders under full load, everything behind them running, against one insert of the same row a request.
async fn complete_orders(options: &Options, site: &Site, insert: &insert::Inserting) -> Result<Vec<Figure>> {
    // Broker, pools and caches are warm before anything counts: the broker's machine compiles for the first minute.
    let warm_up = Until::Elapsed(WARM_UP);
    let warmed = checked(load::run(site.order(), &post_orders(), 201, warm_up).await?)?;
    // And one whose answer the other side gives.
    let mut placed = warmed.answered + 1;
    checked(load::run(insert.address, &post_orders(), 201, warm_up).await?)?;
    let (mut rounds, mut left, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..options.rounds {
        println!("… complete orders, round {} of {}", round + 1, options.rounds);
        let until = Until::Elapsed(Duration::from_secs(options.seconds));
        let bare = checked(load::run(insert.address, &post_orders(), 201, until).await?)?;
        let ours = checked(load::run(site.order(), &post_orders(), 201, until).await?)?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        left.push(site.unpublished().await? as f64);
        placed += ours.answered;
        visible::until_visible(site.mypage(), placed).await?;
        p99.push(ours.percentile_ms(0.99));
        rounds.push((ours.per_second(), bare.per_second()));
        println!("  {:.0} of {:.0} a second", ours.per_second(), bare.per_second());
    }
    let left = left.into_iter().fold(0.0, f64::max);
    Ok(vec![
        Figure::ratio("POST /orders, complete / one INSERT a request", "orders/s", &rounds, 0.40, 0.60)
            .with_note(&format!("p99 {:.1} ms", median(p99))),
        Figure::at_most("left in the outboxes 1 s after the load, worst round", left, "events", 0.0),
    ])
}

/// Reads of the view, without and with the gateway.
async fn reads(options: &Options, site: &Site) -> Result<Vec<Figure>> {
    println!("… reads");
    const IDS: u64 = 1_000;
    let (_, mypage) = load::get(site.mypage(), "/mypages/1").await?;
    let bare = Baseline::start("", "", &mypage).await?;
    let get = get_items("mypages", IDS);
    let (mut from_redis, mut through_gateway) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let until = Until::Elapsed(Duration::from_secs(options.seconds.div_ceil(2)));
        let rate =
            async |address| Result::Ok(checked(load::run(address, &get, 200, until).await?)?.per_second());
        let (bytes, view, gateway) =
            (rate(bare.address).await?, rate(site.mypage()).await?, rate(site.gateway()).await?);
        from_redis.push((view, bytes));
        through_gateway.push((gateway, view));
    }
    Ok(vec![
        Figure::ratio("GET /mypages/{id}, from Redis / the same bytes", "answers/s", &from_redis, 0.45, 0.60),
        Figure::ratio(
            "GET /mypages/{id}, with / without the gateway",
            "answers/s",
            &through_gateway,
            0.35,
            0.45,
        ),
    ])
}

fn memory(site: &Site) -> Result<Figure> {
    let note = "order, rent, delivery, mypage and gateway, one process each";
    Ok(Figure::reported("memory of all processes after the load", site.resident_mib()?, "MiB", 150.0)
        .with_note(note))
}
