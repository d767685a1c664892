//! Clients that send slowly, or nothing: those beside them do not notice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};

use super::{
    Options,
    library::Drilled,
    offered::{Answer, Offer, place},
    report::Report,
};
use crate::{Result, library, load};

/// Connections that say nothing, those that send their head, and those that send their body byte by byte.
const SILENT: usize = 6_000;
const SLOW_HEADS: usize = 2_000;
const SLOW_BODIES: usize = 2_000;

/// Between two bytes of a slow client.
const BYTE: Duration = Duration::from_secs(1);

/// File descriptors that the connections take, here and in the library, and some more.
const DESCRIPTORS: u64 = 12_000;

/// A slow one has to be cut off after so long, and must not before the normal load is over.
const CUT_WITHIN: Duration = Duration::from_secs(60);

/// With the usual 10 s the slow bodies would be gone before the end of the load beside them. Who says nothing, or does not
/// come to the end of its head, is cut off after 30 s: later than it takes to connect them all and load for 15 s.
const DEADLINE: &str = "--request-deadline-ms=40000";

/// Orders a second, without the slow ones and beside them.
const OFFERED: f64 = 500.0;

pub(super) async fn drill(options: &Options, report: &mut Report) -> Result<()> {
    can_open(DESCRIPTORS)?;
    let library = Drilled::start(options, &[DEADLINE]).await?;
    library.through(report, async |library, report| under_load(options, library, report).await).await;
    Ok(())
}

async fn under_load(options: &Options, library: &Drilled<'_>, report: &mut Report) -> Result<()> {
    let offer = Offer {
        address: library::order(),
        customers: 64,
        per_second: Some(OFFERED),
        lasts: options.seconds(15.0),
    };
    let p99 = |answers: &super::offered::Answers| format!("{:.1} ms", answers.p99_ms(Answer::is_taken));
    let alone = place(offer).await?;
    report.told("p99 without them, at 500 orders a second", p99(&alone));
    let memory = library.running().resident_mib()?;
    let slow = Slow::connect().await?;
    let beside = place(offer).await?;
    let (open, all) = (slow.open.load(Ordering::Relaxed), (SILENT + SLOW_HEADS + SLOW_BODIES) as u64);
    report.wanted(
        "slow connections that are still open at the end of the load",
        open.to_string(),
        format!("{all}"),
        open >= all,
    );
    report.offered("beside them", &beside, OFFERED);
    report.wanted(
        format!("answered 201 beside them, of {}", beside.all.len() as u64 + beside.unanswered),
        format!("{:.2} %", beside.percent(|answer| answer.status == 201)),
        "100.00 %",
        beside.count(|answer| answer.status == 201) == beside.all.len() as u64 && beside.unanswered == 0,
    );
    report.told("p99 beside them", p99(&beside));
    let with_them = library.running().resident_mib()?;
    report.told("memory without and with them", format!("{memory:.0} and {with_them:.0} MiB"));
    let ended = slow.until_cut_off().await;
    report.wanted(
        "all of them cut off, after their first byte",
        ended.map_or_else(
            || format!("not within {CUT_WITHIN:?}"),
            |after| format!("{:.0} s", after.as_secs_f64()),
        ),
        format!("within {CUT_WITHIN:?}"),
        ended.is_some(),
    );
    let (status, _) = load::ask(library::order(), &load::an_order(1)?).await?;
    report.wanted("an order after that", status.to_string(), "201", status == 201);
    Ok(())
}

/// The slow ones, all connected.
struct Slow {
    since: Instant,
    open: Arc<AtomicU64>,
    clients: Vec<JoinHandle<()>>,
}

impl Slow {
    async fn connect() -> Result<Self> {
        let head: &[u8] = b"POST /orders HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
        let body: &[u8] = b"POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
            Content-Length: 60000\r\n\r\n{\"item\":\"";
        let (since, open) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let mut clients = Vec::new();
        for (number, begin, goes_on) in
            [(SILENT, &b""[..], false), (SLOW_HEADS, head, true), (SLOW_BODIES, body, true)]
        {
            for _ in 0..number {
                let mut stream = TcpStream::connect(library::order()).await?;
                stream.write_all(begin).await?;
                open.fetch_add(1, Ordering::Relaxed);
                let open = Arc::clone(&open);
                clients.push(tokio::spawn(async move {
                    dawdle(stream, goes_on).await;
                    open.fetch_sub(1, Ordering::Relaxed);
                }));
            }
        }
        Ok(Self { since, open, clients })
    }

    /// When the last of them was cut off.
    async fn until_cut_off(self) -> Option<Duration> {
        while self.open.load(Ordering::Relaxed) > 0 {
            if self.since.elapsed() > CUT_WITHIN {
                self.clients.iter().for_each(JoinHandle::abort);
                return None;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(self.since.elapsed())
    }
}

/// Sends a byte now and then, if any, until the other side has enough.
async fn dawdle(mut stream: TcpStream, goes_on: bool) {
    let mut answer = [0_u8; 1024];
    loop {
        tokio::select! {
            read = stream.read(&mut answer) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
            () = tokio::time::sleep(BYTE), if goes_on => {
                if stream.write_all(b"x").await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Whether this process, and what it starts, may have so many files open.
fn can_open(wanted: u64) -> Result<()> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    let soft = line.split_whitespace().next().and_then(|soft| soft.parse::<u64>().ok());
    match soft {
        Some(soft) if soft < wanted => Err(format!(
            "this drill opens {wanted} files, and {soft} are allowed: `ulimit -n {wanted}` first"
        )
        .into()),
        _ => Ok(()),
    }
}
