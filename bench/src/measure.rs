//! The measurements, one after the other.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;

use crate::{
    Result,
    figures::{Figure, median, show},
    group_commit, lag,
    library::{self, Baseline, Library},
    load::{self, Outcome, Until, an_order, get_items, post_orders},
    visible,
};

/// After a load everything has to be visible within so many seconds.
const VISIBLE_WITHIN_S: f64 = 5.0;

/// Orders of the small folder.
const FEW: u64 = 1_000;

/// How much is measured.
#[derive(Args)]
pub(crate) struct Options {
    /// The library's program.
    #[arg(long, default_value = "target/release/rentalbook")]
    program: PathBuf,
    /// Rounds of every ratio.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of load of a round with orders.
    #[arg(long, default_value_t = 60)]
    order_seconds: u64,
    /// Seconds of load of every other round.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Orders of the large folder.
    #[arg(long, default_value_t = 1_000_000)]
    many: u64,
    /// Where the figures are written.
    #[arg(long, default_value = "bench/results/latest.json")]
    output: PathBuf,
    /// Where the data folders are made; on the disk that the library will use.
    #[arg(long, default_value = "target/bench")]
    scratch: PathBuf,
}

/// Measures everything.
pub(crate) fn run(options: &Options) -> Result<()> {
    std::fs::create_dir_all(&options.scratch)?;
    let mut figures = vec![group_commit(options)?];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    figures.extend(runtime.block_on(measure_library(options))?);
    show(&figures, &options.output)
}

async fn measure_library(options: &Options) -> Result<Vec<Figure>> {
    let baseline = a_baseline(options).await?;
    let mut figures = small_folder(options, &baseline).await?;
    let (complete, highest) = complete_orders(options, &baseline).await?;
    figures.extend(complete);
    figures.push(event_lag(options, highest).await?);
    figures.extend(growth(options).await?);
    let size = std::fs::metadata(&options.program)?.len() as f64 / (1024.0 * 1024.0);
    figures.push(Figure::reported("size of the binary", size, "MiB", 20.0));
    Ok(figures)
}

fn progress(text: &str) {
    println!("… {text}");
}

fn a_folder(options: &Options) -> Result<tempfile::TempDir> {
    Ok(tempfile::tempdir_in(&options.scratch)?)
}

/// The baseline answers what the library has answered.
async fn a_baseline(options: &Options) -> Result<Baseline> {
    let folder = a_folder(options)?;
    let running = Library::start(&options.program, folder.path()).await?;
    let (_, posted) = load::ask(library::order(), &an_order(500_000)?).await?;
    until_visible(1).await?;
    let (_, order) = load::get(library::order(), "/orders/1").await?;
    let (_, mypage) = load::get(library::mypage(), "/mypages/1").await?;
    running.stop()?;
    Baseline::start(&posted, &order, &mypage).await
}

fn group_commit(options: &Options) -> Result<Figure> {
    progress("group commit against one transaction per request");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rounds = Vec::new();
    let seconds = Duration::from_secs(options.seconds.div_ceil(2));
    for _ in 0..options.rounds {
        let folder = a_folder(options)?;
        let both = runtime.block_on(async {
            let alone = group_commit::writes_per_second(folder.path(), false, seconds).await?;
            let shared = group_commit::writes_per_second(folder.path(), true, seconds).await?;
            Result::Ok((shared, alone))
        })?;
        rounds.push(both);
    }
    Ok(Figure::ratio("group commit / one transaction per request", "writes/s", &rounds, 5.0, 9.0))
}

/// With 100,000 orders: memory, reads, the start on an empty folder.
async fn small_folder(options: &Options, baseline: &Baseline) -> Result<Vec<Figure>> {
    const ORDERS: u64 = 100_000;
    progress("100,000 orders: memory and reads");
    let folder = a_folder(options)?;
    let first = start_to_first_order(options, folder.path()).await?;
    let mut figures = vec![Figure::reported("start until the first 201, empty folder", first.0, "s", 0.3)];
    let running = first.1;
    let loaded = place(Until::Sent(ORDERS)).await?;
    until_visible(1 + loaded.answered).await?;
    figures.push(Figure::reported(
        "resident memory after 100,000 orders",
        running.resident_mib()?,
        "MiB",
        64.0,
    ));
    for (collection, address, at_least, aim) in
        [("orders", library::order(), 0.55, 0.75), ("mypages", library::mypage(), 0.65, 0.85)]
    {
        let make = get_items(collection, ORDERS);
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            let until = Until::Elapsed(Duration::from_secs(options.seconds));
            let bare = checked(load::run(baseline.address, &make, 200, until).await?)?;
            let ours = checked(load::run(address, &make, 200, until).await?)?;
            rounds.push((ours.per_second(), bare.per_second()));
        }
        figures.push(Figure::ratio(
            &format!("GET /{collection}/{{id}}, 100,000 ids at random"),
            "answers/s",
            &rounds,
            at_least,
            aim,
        ));
    }
    running.stop()?;
    Ok(figures)
}

/// Orders, each of which has to be confirmed.
async fn place(until: Until) -> Result<Outcome> {
    checked(load::run(library::order(), &post_orders(), 201, until).await?)
}

async fn until_visible(orders: u64) -> Result<f64> {
    visible::until_visible(library::mypage(), orders).await
}

fn checked(outcome: Outcome) -> Result<Outcome> {
    if outcome.refused > 0 {
        return Err(format!("{} of {} answers had another status", outcome.refused, outcome.answered).into());
    }
    Ok(outcome)
}

/// Orders under full load, everything behind them running. Returns the figures and the highest rate.
async fn complete_orders(options: &Options, baseline: &Baseline) -> Result<(Vec<Figure>, f64)> {
    let (mut rounds, mut visible, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..options.rounds {
        progress(&format!("complete orders, round {} of {}", round + 1, options.rounds));
        let until = Until::Elapsed(Duration::from_secs(options.seconds));
        let bare = checked(load::run(baseline.address, &post_orders(), 201, until).await?)?;
        let folder = a_folder(options)?;
        let running = Library::start(&options.program, folder.path()).await?;
        let until = Until::Elapsed(Duration::from_secs(options.order_seconds));
        let ours = place(until).await?;
        visible.push(until_visible(ours.answered).await?);
        p99.push(ours.percentile_ms(0.99));
        rounds.push((ours.per_second(), bare.per_second()));
        running.stop()?;
    }
    let highest = median(rounds.iter().map(|round| round.0).collect());
    let slowest = visible.iter().copied().fold(0.0, f64::max);
    let note = format!("p99 {:.1} ms", median(p99));
    let figures = vec![
        Figure::ratio("POST /orders, complete", "orders/s", &rounds, 0.20, 0.35).with_note(&note),
        Figure::at_most("all of them visible after the load, slowest round", slowest, "s", VISIBLE_WITHIN_S),
    ];
    Ok((figures, highest))
}

/// From the 201 until mypage shows `Ship`, under half of the highest load.
async fn event_lag(options: &Options, highest: f64) -> Result<Figure> {
    progress("event lag under half of the highest load");
    let folder = a_folder(options)?;
    let running = Library::start(&options.program, folder.path()).await?;
    let (make, duration) = (post_orders(), Duration::from_secs(options.order_seconds));
    let loading = load::paced(library::order(), &make, 201, Until::Elapsed(duration), Some(highest / 2.0));
    let (loaded, lags) = tokio::join!(loading, lag::probe(duration));
    checked(loaded?)?;
    running.stop()?;
    Ok(lag::figure(lags?))
}

/// A large folder against a small one: the rate of orders, and the start.
async fn growth(options: &Options) -> Result<Vec<Figure>> {
    progress("a folder with many orders");
    let large = a_folder(options)?;
    let mut stored = fill(options, large.path(), options.many).await?;
    let (seconds, running) = start_to_first_order(options, large.path()).await?;
    stored += 1;
    until_visible(stored).await?;
    running.stop()?;
    let mut figures = vec![Figure::reported("start until the first 201, large folder", seconds, "s", 1.0)];
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let (many, added) = rate_with(options, large.path(), stored).await?;
        stored += added;
        // A new one each time: a round adds more orders to a small folder than it has.
        let small = a_folder(options)?;
        let few = fill(options, small.path(), FEW).await?;
        rounds.push((many, rate_with(options, small.path(), few).await?.0));
    }
    let note =
        format!("{} to {stored} orders stored, against {FEW} at the start of each round", options.many);
    figures
        .push(Figure::ratio("orders/s, many / few stored", "orders/s", &rounds, 0.90, 1.00).with_note(&note));
    Ok(figures)
}

/// Places `orders`, and ends the library when all of them are where they belong. How many there are.
async fn fill(options: &Options, folder: &Path, orders: u64) -> Result<u64> {
    let running = Library::start(&options.program, folder).await?;
    let placed = place(Until::Sent(orders)).await?.answered;
    until_visible(placed).await?;
    running.stop()?;
    Ok(placed)
}

/// Orders a second on a folder with nothing left to do, and how many were added.
async fn rate_with(options: &Options, folder: &Path, stored: u64) -> Result<(f64, u64)> {
    let running = Library::start(&options.program, folder).await?;
    until_visible(stored).await?;
    let outcome = place(Until::Elapsed(Duration::from_secs(options.seconds.min(5)))).await?;
    until_visible(stored + outcome.answered).await?;
    running.stop()?;
    Ok((outcome.per_second(), outcome.answered))
}

/// Seconds from the start of the process until an order was answered 201.
async fn start_to_first_order(options: &Options, data: &Path) -> Result<(f64, Library)> {
    let start = Instant::now();
    let running = Library::start(&options.program, data).await?;
    let (status, body) = load::ask(library::order(), &an_order(0)?).await?;
    if status != 201 {
        return Err(format!("the first order was answered {status}: {body}").into());
    }
    Ok((start.elapsed().as_secs_f64(), running))
}

/// The load of orders alone, on each program in turns, with the baseline before each turn.
pub(crate) fn compare_orders(programs: &[PathBuf], rounds: usize, seconds: u64) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let posted = r#"{"item":"book 500000","status":"Ordered"}"#;
        let baseline = Baseline::start(posted, "", "").await?;
        let mut ratios = vec![Vec::new(); programs.len()];
        let mut costs = vec![Vec::new(); programs.len()];
        for _ in 0..rounds {
            for (n, program) in programs.iter().enumerate() {
                let until = Until::Elapsed(Duration::from_secs(2));
                let bare = load::run(baseline.address, &post_orders(), 201, until).await?;
                let (rate, cost) = orders_once(program, seconds).await?;
                ratios[n].push(rate / bare.per_second());
                costs[n].push(cost);
            }
        }
        for ((program, ratios), costs) in programs.iter().zip(ratios).zip(costs) {
            println!(
                "{:.3} of the baseline, {:.0} µs an order: {}",
                median(ratios),
                median(costs),
                program.display()
            );
        }
        Ok(())
    })
}

/// Orders a second, and microseconds of processor time an order.
async fn orders_once(program: &Path, seconds: u64) -> Result<(f64, f64)> {
    let folder = tempfile::tempdir()?;
    let running = Library::start(program, folder.path()).await?;
    let until = Until::Elapsed(Duration::from_secs(seconds));
    let outcome = place(until).await?;
    let visible = until_visible(outcome.answered).await?;
    let cost = running.processor_seconds()? * 1e6 / outcome.answered as f64;
    println!(
        "{:.0} orders/s, {cost:.0} µs of processor time an order, p50 {:.1} ms, p99 {:.1} ms, \
         visible after {visible:.2} s, {:.0} MiB resident",
        outcome.per_second(),
        outcome.percentile_ms(0.5),
        outcome.percentile_ms(0.99),
        running.resident_mib()?,
    );
    running.stop()?;
    Ok((outcome.per_second(), cost))
}
