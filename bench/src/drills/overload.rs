//! Ten times more is asked for than can be done: what can be done is done, the rest is told when to come back, and nothing
//! of it lingers.

use std::time::Duration;

use super::{
    Options,
    library::Drilled,
    offered::{Answer, Answers, Offer, place},
    report::Report,
    shed,
};
use crate::{Result, library};

/// Each write takes so long, one after the other, and an order is two of them: a thousand orders a second.
const SLOW_STORE: [&str; 2] = ["--drills", "--fault=store.delay=500us"];

/// Customers where no more is asked for than can be done.
const FEW: usize = 64;

/// Customers of the overload: enough to ask ten times more, also while each waits for its answer.
const MANY: usize = 1_000;

/// The recovery is looked at in pieces of this length.
const PIECE: Duration = Duration::from_millis(500);

pub(super) async fn drill(options: &Options) -> Result<Report> {
    let library = Drilled::start(options, &SLOW_STORE).await?;
    let offer = |customers, seconds, per_second| Offer {
        address: library::order(),
        customers,
        per_second,
        lasts: options.seconds(seconds),
    };
    let full = place(offer(FEW, 10.0, None)).await?;
    let (capacity, normal) = (full.per_second(Answer::is_taken), full.p99_ms(Answer::is_taken));
    let half = place(offer(FEW, 10.0, Some(capacity / 2.0))).await?.p99_ms(Answer::is_taken);
    let overload = place(offer(MANY, 30.0, Some(capacity * 10.0))).await?;
    let recovery = place(offer(FEW, 20.0, None)).await?;
    library.until_all_are_confirmed(options.seconds(300.0)).await?;

    let mut report = Report::default();
    report.told("capacity, 64 customers", format!("{capacity:.0} orders a second"));
    report.told("p99 of these, and at half of the rate", format!("{normal:.1} ms, {half:.1} ms"));
    let asked = overload.per_second(|_| true);
    report.told("asked during the overload", format!("{asked:.0} a second"));
    let served = overload.per_second(Answer::is_taken);
    report.wanted(
        "served during it",
        format!("{served:.0} a second, {:.2} of the capacity", served / capacity),
        "at least 0.80",
        served >= 0.8 * capacity,
    );
    let p99 = overload.p99_ms(Answer::is_taken);
    report.wanted(
        "p99 of what was served",
        format!("{p99:.1} ms, {:.1} times normal", p99 / normal),
        "below 4 times",
        p99 < 4.0 * normal,
    );
    report
        .told("p99 of what was refused", format!("{:.1} ms", overload.p99_ms(|answer| answer.status == 503)));
    report.wanted(
        "neither served nor told when to come back",
        overload.lost().to_string(),
        "0",
        overload.lost() == 0,
    );
    let back = until_full_speed(&recovery, capacity);
    report.wanted(
        "full speed again after it",
        back.map_or_else(
            || "not within 20 s".to_owned(),
            |back| format!("within {:.1} s", back.as_secs_f64()),
        ),
        "within 5 s",
        back.is_some_and(|back| back <= Duration::from_secs(5)),
    );
    library.audit(&mut report)?;
    library.stop()?;
    shed::measure(options, &mut report).await?;
    Ok(report)
}

/// The end of the first piece from which on, to the end, the rate is that of the capacity but for a twentieth.
fn until_full_speed(recovery: &Answers, capacity: f64) -> Option<Duration> {
    let pieces = (recovery.lasted.as_secs_f64() / PIECE.as_secs_f64()) as u32;
    let rate_from = |piece: u32| {
        let (from, to) = (PIECE * piece, PIECE * pieces);
        let within = recovery.count(|answer| answer.is_taken() && (from..to).contains(&answer.at));
        within as f64 / (to - from).as_secs_f64()
    };
    (0..pieces).find(|piece| rate_from(*piece) >= 0.95 * capacity).map(|piece| PIECE * (piece + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many orders in each of the pieces.
    fn recovery(pieces: &[usize]) -> Answers {
        let mut answers = Answers { lasted: PIECE * pieces.len() as u32, ..Answers::default() };
        for (n, orders) in pieces.iter().enumerate() {
            let at = PIECE * n as u32;
            let answer = Answer { at, took: Duration::ZERO, status: 201, has_retry_after: false };
            answers.all.extend(std::iter::repeat_n(answer, *orders));
        }
        answers
    }

    #[test]
    fn full_speed_is_back_from_where_it_stays() {
        assert_eq!(until_full_speed(&recovery(&[50, 50, 50]), 100.0), Some(PIECE));
        assert_eq!(until_full_speed(&recovery(&[0, 50, 50, 50]), 100.0), Some(PIECE * 2));
        assert_eq!(until_full_speed(&recovery(&[10, 10, 10]), 100.0), None);
    }
}
