//! The measurements, one after the other.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;

use crate::{
    Result,
    figures::{Figure, median, table},
    group_commit,
    library::{self, Baseline, Library},
    load::{self, Outcome, Until, get_items, post_orders},
};

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
    let text = table(&figures);
    println!("{text}");
    if let Some(folder) = options.output.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&options.output, serde_json::to_string_pretty(&figures)?)?;
    std::fs::write(options.output.with_extension("md"), text)?;
    Ok(())
}

async fn measure_library(options: &Options) -> Result<Vec<Figure>> {
    let baseline = a_baseline(options).await?;
    let mut figures = small_folder(options, &baseline).await?;
    let (complete, highest) = complete_orders(options, &baseline).await?;
    figures.extend(complete);
    figures.push(event_lag(options, highest).await?);
    figures.extend(growth(options).await?);
    let size = std::fs::metadata(&options.program)?.len() as f64 / (1024.0 * 1024.0);
    figures.push(Figure::reported("size of the binary", size, "MiB", "< 20"));
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
    let mut request = Vec::new();
    post_orders()(500_000, &mut request);
    let (_, posted) = load::ask(library::order(), &String::from_utf8(request)?).await?;
    library::until_visible(1).await?;
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
    let mut figures =
        vec![Figure::reported("start until the first 201, empty folder", first.0, "s", "< 0.3")];
    let running = first.1;
    load::run(library::order(), &post_orders(), 201, Until::Sent(ORDERS)).await?;
    library::until_visible(ORDERS).await?;
    figures.push(Figure::reported(
        "resident memory after 100,000 orders",
        running.resident_mib()?,
        "MiB",
        "< 64",
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
        let ours = checked(load::run(library::order(), &post_orders(), 201, until).await?)?;
        visible.push(library::until_visible(ours.answered).await?);
        p99.push(ours.percentile_ms(0.99));
        rounds.push((ours.per_second(), bare.per_second()));
        running.stop()?;
    }
    let highest = median(rounds.iter().map(|round| round.0).collect());
    let slowest = visible.iter().copied().fold(0.0, f64::max);
    let note = format!("p99 {:.1} ms; all visible {slowest:.2} s after the load at the latest", median(p99));
    let figure = Figure::ratio("POST /orders, complete", "orders/s", &rounds, 0.20, 0.35).with_note(&note);
    Ok((vec![figure], highest))
}

/// From the 201 until mypage shows `Ship`, under half of the highest load.
async fn event_lag(options: &Options, highest: f64) -> Result<Figure> {
    progress("event lag under half of the highest load");
    let folder = a_folder(options)?;
    let running = Library::start(&options.program, folder.path()).await?;
    let make = post_orders();
    let until = Until::Elapsed(Duration::from_secs(options.seconds));
    let loading = load::paced(library::order(), &make, 201, until, Some(highest / 2.0));
    let (loaded, lags) = tokio::join!(loading, lags(Duration::from_secs(options.seconds)));
    loaded?;
    let mut lags = lags?;
    lags.sort_by(f64::total_cmp);
    running.stop()?;
    let at = |share: f64| {
        lags.get((lags.len().saturating_sub(1) as f64 * share) as usize).copied().unwrap_or(f64::NAN)
    };
    let note = format!("p50 {:.0} ms, {} probes", at(0.5), lags.len());
    Ok(Figure::reported("event lag p99 (201 until mypage shows Ship)", at(0.99), "ms", "< 100")
        .with_note(&note))
}

/// Milliseconds of one order after the other, beside the load.
async fn lags(duration: Duration) -> Result<Vec<f64>> {
    let (start, mut lags) = (Instant::now(), Vec::new());
    let mut request = Vec::new();
    post_orders()(0, &mut request);
    let request = String::from_utf8(request)?;
    while start.elapsed() < duration {
        let (status, body) = load::ask(library::order(), &request).await?;
        if status != 201 {
            return Err(format!("a probe was answered {status}").into());
        }
        let placed = Instant::now();
        let order = serde_json::from_str::<serde_json::Value>(&body)?["id"].as_i64().ok_or("no id")?;
        while !load::get(library::mypage(), &format!("/mypages/{order}"))
            .await?
            .1
            .contains("\"status\":\"Ship\"")
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        lags.push(placed.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(lags)
}

/// A large folder against a small one: the rate of orders, and the start.
async fn growth(options: &Options) -> Result<Vec<Figure>> {
    progress("a folder with many orders");
    let (large, small) = (a_folder(options)?, a_folder(options)?);
    for (folder, orders) in [(&large, options.many), (&small, 1_000)] {
        let running = Library::start(&options.program, folder.path()).await?;
        load::run(library::order(), &post_orders(), 201, Until::Sent(orders)).await?;
        library::until_visible(orders).await?;
        running.stop()?;
    }
    let (seconds, running) = start_to_first_order(options, large.path()).await?;
    running.stop()?;
    let mut figures = vec![Figure::reported("start until the first 201, large folder", seconds, "s", "< 1")];
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let mut rates = Vec::new();
        for folder in [&large, &small] {
            let running = Library::start(&options.program, folder.path()).await?;
            let until = Until::Elapsed(Duration::from_secs(options.seconds.min(5)));
            rates.push(checked(load::run(library::order(), &post_orders(), 201, until).await?)?.per_second());
            running.stop()?;
        }
        rounds.push((rates[0], rates[1]));
    }
    let note = format!("{} orders stored", options.many);
    figures
        .push(Figure::ratio("orders/s, many / few stored", "orders/s", &rounds, 0.90, 1.00).with_note(&note));
    Ok(figures)
}

/// Seconds from the start of the process until an order was answered 201.
async fn start_to_first_order(options: &Options, data: &Path) -> Result<(f64, Library)> {
    let start = Instant::now();
    let running = Library::start(&options.program, data).await?;
    let mut request = Vec::new();
    post_orders()(0, &mut request);
    let (status, body) = load::ask(library::order(), &String::from_utf8(request)?).await?;
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
    let outcome = load::run(library::order(), &post_orders(), 201, until).await?;
    let visible = library::until_visible(outcome.answered).await?;
    let cost = running.processor_seconds()? * 1e6 / outcome.answered as f64;
    println!(
        "{:.0} orders/s, {cost:.0} µs of processor time an order, p50 {:.1} ms, p99 {:.1} ms, refused {}, \
         visible after {visible:.2} s, {:.0} MiB resident",
        outcome.per_second(),
        outcome.percentile_ms(0.5),
        outcome.percentile_ms(0.99),
        outcome.refused,
        running.resident_mib()?,
    );
    running.stop()?;
    Ok((outcome.per_second(), cost))
}
