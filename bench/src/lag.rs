//! Event lag: from the 201 until mypage shows `Ship`.

use std::time::{Duration, Instant};

use crate::{
    Result,
    figures::Figure,
    library,
    load::{Client, an_order},
};

/// Probers beside each other. Each waits for its order, so all of them together add some hundred orders a second
/// at most, and a small GET each [`PAUSE`].
const PROBERS: u64 = 4;

/// How often a prober asks; a lag is measured too long by as much at most.
const PAUSE: Duration = Duration::from_millis(5);

/// Fewer say nothing about the slowest of a hundred.
const ENOUGH: usize = 1_000;

/// Milliseconds of orders that are placed beside a load for `duration`.
pub(crate) async fn probe(duration: Duration) -> Result<Vec<f64>> {
    let end = Instant::now() + duration;
    let probers: Vec<_> = (0..PROBERS).map(|n| tokio::spawn(prober(n, end))).collect();
    let mut lags = Vec::new();
    for prober in probers {
        lags.extend(prober.await??);
    }
    Ok(lags)
}

async fn prober(n: u64, end: Instant) -> Result<Vec<f64>> {
    let (mut order, mut mypage) =
        (Client::connect(library::order()).await?, Client::connect(library::mypage()).await?);
    let request = an_order(n)?;
    let mut lags = Vec::new();
    while Instant::now() < end {
        let (status, body) = order.ask(&request).await?;
        if status != 201 {
            return Err(format!("a probe was answered {status}").into());
        }
        let placed = Instant::now();
        let id = serde_json::from_str::<serde_json::Value>(&body)?["id"].as_i64().ok_or("no id")?;
        while !mypage.get(&format!("/mypages/{id}")).await?.1.contains("\"status\":\"Ship\"") {
            tokio::time::sleep(PAUSE).await;
        }
        lags.push(placed.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(lags)
}

/// The p99, or where there are too few for one, the longest of them.
pub(crate) fn figure(mut lags: Vec<f64>) -> Figure {
    lags.sort_by(f64::total_cmp);
    let last = lags.len().saturating_sub(1);
    let at = |share: f64| lags.get((last as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    let (what, value) = if lags.len() >= ENOUGH {
        ("p99".to_owned(), at(0.99))
    } else {
        (format!("max of {}", lags.len()), at(1.0))
    };
    let what = format!("event lag {what} (201 until mypage shows Ship)");
    let note = format!("p50 {:.0} ms, {} probes beside half of the highest load", at(0.5), lags.len());
    Figure::reported(&what, value, "ms", 100.0).with_note(&note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_lags_have_no_percentile() {
        let of = |n: u32| figure((1..=n).map(f64::from).collect());
        let few = of(999);
        assert!(few.what.starts_with("event lag max of 999 "), "{}", few.what);
        assert!((few.ours - 999.0).abs() < f64::EPSILON);
        let enough = of(1_000);
        assert!(enough.what.starts_with("event lag p99 "), "{}", enough.what);
        assert!((enough.ours - 990.0).abs() < f64::EPSILON);
    }
}
