//! Delivery is down while orders are taken: customers do not notice, and every parcel is prepared when it is back.

use std::time::{Duration, Instant};

use super::{
    Options,
    library::Drilled,
    offered::{Answer, Offer, place},
    report::Report,
};
use crate::{Result, library, visible};

/// Orders a second while delivery is down.
const OFFERED: f64 = 1_000.0;

pub(super) async fn drill(options: &Options, report: &mut Report) -> Result<()> {
    let library = Drilled::start(options, &[]).await?;
    library.through(report, async |library, report| under_load(options, library, report).await).await;
    Ok(())
}

async fn under_load(options: &Options, library: &Drilled<'_>, report: &mut Report) -> Result<()> {
    library.do_tool(&["stop", "delivery"])?;
    let offer = Offer {
        address: library::order(),
        customers: 64,
        per_second: Some(OFFERED),
        lasts: options.seconds(30.0),
    };
    let answers = place(offer).await?;
    report.offered("while delivery is down", &answers, OFFERED);
    report.wanted(
        format!("answered 201 while delivery is down, of {}", answers.all.len() as u64 + answers.unanswered),
        format!("{:.2} %", answers.percent(|answer| answer.status == 201)),
        "100.00 %",
        answers.count(|answer| answer.status == 201) == answers.all.len() as u64 && answers.unanswered == 0,
    );
    report.told("p99 meanwhile", format!("{:.1} ms", answers.p99_ms(Answer::is_taken)));
    library.do_tool(&["start", "delivery"])?;
    let back = Instant::now();
    let placed = answers.count(Answer::is_taken);
    visible::until_visible(library::mypage(), placed).await?;
    let caught_up = back.elapsed().max(Duration::from_millis(1));
    report.told(
        "until every customer sees the parcel, after delivery is back",
        format!(
            "{:.1} s, {:.0} parcels a second",
            caught_up.as_secs_f64(),
            placed as f64 / caught_up.as_secs_f64()
        ),
    );
    Ok(())
}
