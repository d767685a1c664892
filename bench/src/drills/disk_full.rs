//! The disk fills up under load, and has room again: nothing that was answered is lost, and the library goes on by itself.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use super::{
    Options,
    library::Drilled,
    offered::{Answer, Offer, place},
    report::Report,
};
use crate::{Result, library, load, visible};

/// A small file system in memory, which only root can make.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&at)?;
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(&at).status()?;
        if !mounted.success() {
            return Err("this drill mounts a small file system: run it as root".into());
        }
        Ok(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Orders a second, before, while the disk is full, and after that.
const OFFERED: f64 = 1_000.0;

pub(super) async fn drill(options: &Options, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir_in(&options.scratch)?;
    let disk = SmallDisk::mount(folder.path().join("disk"))?;
    let data = disk.0.join("data");
    let library = Drilled::start_in(options, data, &[]).await?;
    library.through(report, async |library, report| under_load(options, library, report).await).await;
    drop((disk, folder));
    Ok(())
}

async fn under_load(options: &Options, library: &Drilled<'_>, report: &mut Report) -> Result<()> {
    let offer = |seconds| Offer {
        address: library::order(),
        customers: 64,
        per_second: Some(OFFERED),
        lasts: options.seconds(seconds),
    };
    let before = place(offer(5.0)).await?;
    report.told("taken before", before.count(Answer::is_taken).to_string());
    let ballast = library.data().with_file_name("ballast");
    fill(&ballast)?;
    let full = place(offer(15.0)).await?;
    report.offered("while the disk is full", &full, OFFERED);
    report.wanted(
        format!("neither taken nor told when to come back while the disk is full, of {}", full.all.len()),
        full.lost().to_string(),
        "0",
        full.lost() == 0,
    );
    report.wanted(
        "refused meanwhile",
        format!("{:.1} %", full.percent(|answer| answer.status == 503)),
        "some",
        full.count(|answer| answer.status == 503) > 0,
    );
    let (live, _) = load::get(library::order(), "/actuator/health/liveness").await?;
    let (read, _) = load::get(library::order(), "/orders/1").await?;
    report.wanted(
        "liveness, and a read, meanwhile",
        format!("{live}, {read}"),
        "200, 200",
        (live, read) == (200, 200),
    );
    std::fs::remove_file(&ballast)?;
    let room = Instant::now();
    let taken_again = until_an_order_is_taken().await?;
    report.told(
        "until an order is taken, after there is room",
        format!("{:.1} s", taken_again.duration_since(room).as_secs_f64()),
    );
    let after = place(offer(5.0)).await?;
    report.offered("after that", &after, OFFERED);
    let good = after.percent(|answer| answer.status == 201);
    report.wanted("answered 201 after that", format!("{good:.2} %"), "100.00 %", good >= 100.0);
    let confirmed = library.until_all_are_confirmed(options.seconds(60.0)).await?;
    report.told("until nothing is pending any more", format!("{:.1} s", confirmed.as_secs_f64()));
    let stored = stored().await?;
    let taken =
        before.count(Answer::is_taken) + full.count(Answer::is_taken) + after.count(Answer::is_taken) + 1;
    report.wanted(
        "orders stored",
        stored.to_string(),
        format!("at least {taken}, all that were taken"),
        stored >= taken,
    );
    let shown = visible::until_visible(library::mypage(), stored).await?;
    report.told("until all of them are shown", format!("{shown:.1} s"));
    Ok(())
}

/// Takes what is left of the disk.
fn fill(ballast: &Path) -> Result<()> {
    use std::io::Write as _;
    let mut file = std::fs::File::create(ballast)?;
    let piece = vec![0_u8; 64 * 1024];
    while file.write_all(&piece).is_ok() {}
    Ok(())
}

async fn until_an_order_is_taken() -> Result<Instant> {
    let start = Instant::now();
    loop {
        let (status, body) = load::ask(library::order(), &load::an_order(1)?).await?;
        if matches!(status, 201 | 202) {
            return Ok(Instant::now());
        }
        if start.elapsed() > Duration::from_secs(60) {
            return Err(format!("no order is taken though there is room: {status} {body}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Orders that order has.
async fn stored() -> Result<u64> {
    let (_, body) = load::get(library::order(), "/orders?size=1").await?;
    let page: serde_json::Value = serde_json::from_str(&body)?;
    page["page"]["totalElements"].as_u64().ok_or_else(|| format!("no total: {body}").into())
}
