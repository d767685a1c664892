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

/// Customers of the overload: enough to ask ten times more, also while each waits for its answer; whether they did is
/// looked at.
const MANY: usize = 1_000;

/// The recovery is looked at in pieces of this length.
const PIECE: Duration = Duration::from_millis(500);

/// Orders a second that the library with the slow store can take: far more, or far less, would be another drill.
const CAPACITY: std::ops::RangeInclusive<f64> = 500.0..=2_000.0;

/// So much more is asked for than can be done.
const TIMES: f64 = 10.0;

pub(super) async fn drill(options: &Options, report: &mut Report) -> Result<()> {
    // On a library of its own, whose one write never ends: of it nothing could be audited.
    shed::measure(options, report).await?;
    let library = Drilled::start(options, &SLOW_STORE).await?;
    library.through(report, async |library, report| under_load(options, library, report).await).await;
    Ok(())
}

async fn under_load(options: &Options, library: &Drilled<'_>, report: &mut Report) -> Result<()> {
    let offer = |customers, seconds, per_second| Offer {
        address: library::order(),
        customers,
        per_second,
        lasts: options.seconds(seconds),
    };
    let full = place(offer(FEW, 10.0, None)).await?;
    let (capacity, normal) = (full.per_second(Answer::is_taken), full.p99_ms(Answer::is_taken));
    let (least, most) = (CAPACITY.start(), CAPACITY.end());
    report.wanted(
        format!("capacity: what {FEW} customers get who ask again as soon as they are answered"),
        format!("{capacity:.0} orders a second"),
        format!("{least:.0} to {most:.0}"),
        CAPACITY.contains(&capacity),
    );
    report.told(
        "p99 *normal*: of these, so at full load, with no more waiting than they",
        format!("{normal:.1} ms"),
    );
    let half = place(offer(FEW, 10.0, Some(capacity / 2.0))).await?.p99_ms(Answer::is_taken);
    report.told("p99 at half of that rate, with which nothing is compared", format!("{half:.1} ms"));
    let overload = place(offer(MANY, 30.0, Some(capacity * TIMES))).await?;
    report.offered("during the overload", &overload, capacity * TIMES);
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
        format!("{p99:.1} ms, {:.1} times *normal*", p99 / normal),
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
    let recovery = place(offer(FEW, 20.0, None)).await?;
    let back = until_full_speed(&recovery, capacity);
    report.wanted(
        "full speed again after it, and from then on",
        back.map_or_else(
            || "not within 20 s".to_owned(),
            |back| format!("within {:.1} s", back.as_secs_f64()),
        ),
        "within 5 s",
        back.is_some_and(|back| back <= Duration::from_secs(5)),
    );
    library.until_all_are_confirmed(options.seconds(300.0)).await?;
    Ok(())
}

/// The end of the first piece from which on, to the end, the rate is that of the capacity but for a twentieth, and no two
/// pieces together fall below four fifths of it: an average alone hides that everything stood still for a while, one piece
/// alone is at the mercy of a slow sync.
fn until_full_speed(recovery: &Answers, capacity: f64) -> Option<Duration> {
    let pieces = (recovery.lasted.as_secs_f64() / PIECE.as_secs_f64()) as u32;
    let mut rates = vec![0.0; pieces as usize];
    for answer in recovery.all.iter().filter(|answer| answer.is_taken()) {
        let piece = (answer.at.as_secs_f64() / PIECE.as_secs_f64()) as usize;
        if let Some(rate) = rates.get_mut(piece) {
            *rate += 1.0 / PIECE.as_secs_f64();
        }
    }
    let mean = |rates: &[f64]| rates.iter().sum::<f64>() / rates.len() as f64;
    let mut pairs = rates.windows(2);
    let steady_from = pairs.rposition(|pair| mean(pair) < 0.8 * capacity).map_or(0, |slow| slow + 1);
    // What has been looked at beside another one only.
    let last = rates.len().saturating_sub(1);
    let back = (steady_from..last).find(|piece| mean(&rates[*piece..]) >= 0.95 * capacity)?;
    Some(PIECE * (back as u32 + 1))
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
    #[test]
    fn a_standstill_later_on_is_no_full_speed() {
        let mut pieces = vec![50; 40];
        assert_eq!(until_full_speed(&recovery(&pieces), 100.0), Some(PIECE));
        // A short dip is none.
        pieces[10] = 31;
        assert_eq!(until_full_speed(&recovery(&pieces), 100.0), Some(PIECE));
        // Half a second without any is one, though the average does not notice it.
        pieces[20] = 0;
        assert_eq!(until_full_speed(&recovery(&pieces), 100.0), Some(PIECE * 22));
        // So much slower for good is not full speed either.
        assert_eq!(until_full_speed(&recovery(&[42; 40]), 100.0), None);
    }
}
