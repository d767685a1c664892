//! Rent is down under load: orders go on being taken, and are confirmed when it is back.

use super::{
    Options,
    library::Drilled,
    offered::{Answer, Offer, place},
    report::Report,
};
use crate::{Result, library};

/// Orders a second while rent is dead.
const OFFERED: f64 = 2_000.0;

/// Customers of the offered load.
const CUSTOMERS: usize = 64;

pub(super) async fn drill(options: &Options, report: &mut Report) -> Result<()> {
    let library = Drilled::start(options, &["--on-rent-unavailable=defer"]).await?;
    library.through(report, async |library, report| under_load(options, library, report).await).await;
    Ok(())
}

async fn under_load(options: &Options, library: &Drilled<'_>, report: &mut Report) -> Result<()> {
    let offer = |seconds, per_second| Offer {
        address: library::order(),
        customers: CUSTOMERS,
        per_second,
        lasts: options.seconds(seconds),
    };
    let normal = place(offer(10.0, None)).await?.per_second(|answer| answer.status == 201);
    report.told("orders a second at full load, before", format!("{normal:.0}"));
    let alive = place(offer(20.0, Some(OFFERED))).await?;
    let p99_alive = alive.p99_ms(Answer::is_taken);
    report.offered("while rent is alive", &alive, OFFERED);
    report.told("p99 while rent is alive, at 2,000 orders a second", format!("{p99_alive:.1} ms"));
    library.do_tool(&["stop", "rent"])?;
    let dead = place(offer(60.0, Some(OFFERED))).await?;
    let (taken, p99_dead) = (dead.percent(Answer::is_taken), dead.p99_ms(Answer::is_taken));
    report.offered("while rent is dead", &dead, OFFERED);
    report.wanted(
        format!("answered 201 or 202 while rent is dead, of {}", dead.all.len() as u64 + dead.unanswered),
        format!("{taken:.2} %"),
        "100.00 %",
        dead.count(Answer::is_taken) == dead.all.len() as u64 && dead.unanswered == 0,
    );
    report.wanted("p99 while rent is dead", format!("{p99_dead:.1} ms"), "below alive", p99_dead < p99_alive);
    let deferred = library.pending().await?;
    library.do_tool(&["start", "rent"])?;
    let drained = library.until_all_are_confirmed(options.seconds(600.0)).await?;
    let rate = deferred as f64 / drained.as_secs_f64();
    report.wanted(
        format!("confirmed a second when it is back, {deferred} orders in {:.1} s", drained.as_secs_f64()),
        format!("{rate:.0}"),
        "more than half of full load",
        rate > normal / 2.0,
    );
    Ok(())
}
