//! What it costs to turn a request away.

use std::time::Duration;

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::{Options, library::Drilled, report::Report};
use crate::{
    Result,
    figures::median,
    library::{self, Baseline},
    load::{self, Until, post_orders},
};

/// One place, and a store that never has done what takes it.
const FULL: [&str; 4] =
    ["--drills", "--fault=store.delay=10m", "--max-in-flight=1", "--request-deadline-ms=600000"];

const ROUNDS: usize = 5;

/// How many requests a second are turned away, against a bare server that turns all of them away.
pub(super) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let library = Drilled::start(options, &FULL).await?;
    let mut request = Vec::new();
    post_orders()(0, &mut request);
    // Whoever only looks may have the place first.
    let mut waiting = Vec::new();
    let refused = loop {
        let mut customer = TcpStream::connect(library::order()).await?;
        customer.write_all(&request).await?;
        waiting.push(customer);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let (status, body) = load::get(library::order(), "/orders").await?;
        if status == 503 {
            break body;
        }
    };
    let bare = Baseline::start_refusing(&refused).await?;
    let (mut ratios, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let until = Until::Elapsed(options.seconds(4.0));
        let bare = load::run(bare.address, &post_orders(), 503, until).await?;
        let ours = load::run(library::order(), &post_orders(), 503, until).await?;
        if ours.refused + bare.refused > 0 {
            return Err("not all of them were turned away".into());
        }
        ratios.push(ours.per_second() / bare.per_second());
        rates.push(ours.per_second());
    }
    let ratio = median(ratios);
    report.wanted(
        "turned away, against a bare server that does nothing else",
        format!("{:.0} a second, {ratio:.2} of it", median(rates)),
        "at least 0.70",
        ratio >= 0.7,
    );
    library.stop()
}
