//! The circuit breaker drill of the original: rent takes 800 to 1,100 ms, order waits for at most 1,000 ms, and siege is the
//! customers. There 55.6, 16.9 and 25.2 % of the requests of 1, 10 and 100 users were answered.

use std::{path::Path, process::Command};

use serde_json::Value;

use super::{
    Options,
    audited::Audited,
    library::Drilled,
    offered::{Answer, Offer, place},
    report::Report,
};
use crate::{Result, library};

const FAULT: [&str; 2] = ["--drills", "--fault=rent.delay=800ms..1100ms"];

/// Users of the three sieges.
const USERS: [usize; 3] = [1, 10, 100];

/// Milliseconds within which an order is refused where it is not deferred: the limit, and a little more.
const REFUSED_WITHIN_MS: f64 = 1_050.0;

pub(super) async fn drill(options: &Options, report: &mut Report) -> Result<()> {
    install_siege()?;
    // A call that order has given up may still reach rent: no rent may be left of an order that was never there.
    let mut without_an_order = Some(0);
    for users in USERS {
        let audited = deferring(options, users, report).await?;
        without_an_order = sum(without_an_order, audited);
    }
    for users in USERS {
        let audited = refusing(options, users, report).await?;
        without_an_order = sum(without_an_order, audited);
    }
    report.wanted(
        "rents without an order",
        without_an_order.map_or_else(|| "not known".to_owned(), |rents| rents.to_string()),
        "0",
        without_an_order == Some(0),
    );
    Ok(())
}

fn sum(rents: Option<u64>, audited: Option<Audited>) -> Option<u64> {
    Some(rents? + audited?.rents_without_an_order()?)
}

async fn deferring(options: &Options, users: usize, report: &mut Report) -> Result<Option<Audited>> {
    let library = Drilled::start(options, &[FAULT[0], FAULT[1], "--on-rent-unavailable=defer"]).await?;
    let sieging = async |library: &Drilled<'_>, report: &mut Report| {
        let sieged = siege(users, options)?;
        report.wanted(
            format!("{users} users, defer: answered 201 or 202, of {}", sieged.asked),
            format!("{:.2} %", sieged.availability),
            "100.00 %",
            sieged.availability >= 100.0 && sieged.asked > 0,
        );
        let pending = library.pending().await?;
        library.do_tool(&["fault", "rent.delay=off"])?;
        let confirmed = library.until_all_are_confirmed(options.seconds(120.0)).await?;
        report.told(
            format!("{users} users, defer: confirmed when rent is well again"),
            format!("{pending} orders in {:.1} s", confirmed.as_secs_f64()),
        );
        Ok(())
    };
    Ok(library.through(report, sieging).await)
}

async fn refusing(options: &Options, users: usize, report: &mut Report) -> Result<Option<Audited>> {
    let library = Drilled::start(options, &[FAULT[0], FAULT[1], "--on-rent-unavailable=reject"]).await?;
    let sieging = async |library: &Drilled<'_>, report: &mut Report| {
        let sieged = siege(users, options)?;
        report.told(
            format!("{users} users, reject: answered 201, of {}", sieged.asked),
            format!("{:.2} %", sieged.availability),
        );
        // What siege does not tell: headers, and how long answers took.
        let (address, lasts) = (library::order(), options.seconds(10.0));
        let answers = place(Offer { address, customers: users, per_second: None, lasts }).await?;
        report.wanted(
            format!(
                "{users} users, reject: neither taken nor told when to come back, of {}",
                answers.all.len()
            ),
            answers.lost().to_string(),
            "0",
            answers.lost() == 0,
        );
        let p99 = answers.p99_ms(|_| true);
        report.wanted(
            format!("{users} users, reject: p99 of the answers"),
            format!("{p99:.0} ms"),
            format!("at most {REFUSED_WITHIN_MS:.0} ms"),
            p99 <= REFUSED_WITHIN_MS,
        );
        report.told(
            format!("{users} users, reject: taken by our own customers"),
            format!("{:.1} %", answers.percent(Answer::is_taken)),
        );
        library.do_tool(&["fault", "rent.delay=off"])?;
        library.until_all_are_confirmed(options.seconds(60.0)).await?;
        Ok(())
    };
    Ok(library.through(report, sieging).await)
}

struct Sieged {
    asked: u64,
    /// Share that was answered with less than 400, in percent.
    availability: f64,
}

/// siege(1), as the original's drill runs it.
fn siege(users: usize, options: &Options) -> Result<Sieged> {
    let seconds = options.seconds(10.0).as_secs().max(1);
    let order =
        format!("http://{}/orders POST {{\"item\": \"book\", \"status\": \"Ordered\"}}", library::order());
    let output = Command::new("siege")
        .args(["--json-output", "--content-type=application/json"])
        .arg(format!("--concurrent={users}"))
        .arg(format!("--time={seconds}S"))
        .arg(order)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let summary = text.find('{').map(|from| serde_json::from_str::<Value>(&text[from..]));
    let summary = summary.ok_or_else(|| format!("siege says {text}"))??;
    let number =
        |name: &str| summary[name].as_f64().ok_or_else(|| format!("siege tells no {name}: {summary}"));
    let (good, failed) = (number("successful_transactions")?, number("failed_transactions")?);
    Ok(Sieged { asked: (good + failed) as u64, availability: 100.0 * good / (good + failed) })
}

fn install_siege() -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/siege.sh");
    if Command::new(script).status()?.success() {
        Ok(())
    } else {
        Err("siege, which this drill needs, could not be installed".into())
    }
}
