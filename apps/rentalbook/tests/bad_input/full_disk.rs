//! No room for another byte: by a limit of the process, which anybody can set, and on a disk of a few megabytes, which
//! only root can mount. Where it cannot be mounted, only the limit is tested, and the test says so.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use hyper::Method;
use platform_testkit::until;
use serde_json::json;

use crate::{
    killing::program::{Http, Program, as_tested, free_ports, run, tool},
    tools::is_one_sentence,
};

/// Room that can be taken away from a running library, and given back.
trait Room {
    fn data(&self) -> PathBuf;
    fn program(&self) -> PathBuf;
    fn take(&self, running: &Program);
    fn give_back(&self, running: &Program);
}

/// Files that cannot grow. Writing fails with another number than on a full disk (EFBIG), and as finally.
struct Limited(tempfile::TempDir);

impl Limited {
    /// The program is started by a script, because Rust has no safe way to ignore the signal that the limit sends.
    fn new(limit: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let script = format!("#!/bin/sh\ntrap '' XFSZ\n{limit}\nexec '{}' \"$@\"\n", as_tested().display());
        let text = folder.path().join("limited.sh");
        fs::write(&text, script).expect("a script");
        // By another process: a file that a test beside this one may have inherited open for writing cannot be run.
        let limited = folder.path().join("limited");
        let installed = Command::new("install").args(["-m", "755"]).args([&text, &limited]).status();
        assert!(installed.is_ok_and(|status| status.success()), "it can be run");
        Self(folder)
    }

    fn set(running: &Program, limit: &str) {
        let id = running.id().to_string();
        let output = Command::new("prlimit").args(["--pid", &id, &format!("--fsize={limit}:")]).output();
        let output = output.expect("prlimit, of util-linux");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Room for Limited {
    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn program(&self) -> PathBuf {
        self.0.path().join("limited")
    }

    /// What order appends to stays as it is. The words are shorter, so there is room for them.
    fn take(&self, running: &Program) {
        let appended = fs::metadata(self.data().join("order.db-wal")).expect("the log of the store").len();
        Self::set(running, &appended.to_string());
    }

    fn give_back(&self, running: &Program) {
        Self::set(running, "unlimited");
    }
}

struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let options = format!("size={size}");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self { folder });
        }
        let said = b"full_disk: tested by a limit only, a tmpfs can only be mounted by root\n";
        let _ = std::io::stderr().write_all(said);
        None
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut file = fs::File::create(self.ballast()).expect("a file");
        for piece in [64 * 1024, 4096, 512] {
            while file.write_all(&vec![0; piece]).is_ok() {}
        }
    }
}

impl Room for SmallDisk {
    fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    fn program(&self) -> PathBuf {
        as_tested()
    }

    fn take(&self, _: &Program) {
        self.fill();
    }

    fn give_back(&self, _: &Program) {
        fs::remove_file(self.ballast()).expect("room again");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.folder.path()).status();
        assert!(
            unmounted.is_ok_and(|status| status.success()) || std::thread::panicking(),
            "it is unmounted"
        );
    }
}

#[test]
fn a_library_does_not_start_without_room_and_says_so() {
    for limit in ["ulimit -f 0", "ulimit -f 8", "ulimit -f 64"] {
        does_not_start(&Limited::new(limit));
    }
    if let Some(disk) = SmallDisk::mount("4m") {
        disk.fill();
        does_not_start(&disk);
    }
}

fn does_not_start(room: &impl Room) {
    let data = room.data().display().to_string();
    let output = run(&room.program(), &["--data", &data]);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(!output.status.success() && output.stdout.is_empty(), "{said}");
    assert!(said.contains(&data) && is_one_sentence(&said), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_files_cannot_grow_the_library_asks_to_come_back_and_then_it_goes_on() {
    goes_on_when_there_is_room(&Limited::new("")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_makes_the_library_ask_to_come_back_and_then_it_goes_on() {
    let Some(disk) = SmallDisk::mount("48m") else { return };
    goes_on_when_there_is_room(&disk).await;
}

async fn goes_on_when_there_is_room(room: &impl Room) {
    let (program, data, ports) = (room.program(), room.data(), free_ports());
    let words = tempfile::tempdir().expect("a folder");
    let linked = words.path().join("data");
    std::os::unix::fs::symlink(&data, &linked).expect("a link");
    fs::create_dir(&data).expect("a folder");
    // Its words go beside the link, not on the disk that is full.
    let running = Program::open(&program, &linked, ports, &[]).await;
    let http = Http::new(ports);
    let place = async |n: usize| {
        let body = json!({ "item": format!("{n} {}", "x".repeat(400)) });
        http.ask(4, Method::POST, "/orders", &[], Some(&body)).await.expect("an answer")
    };
    let mut answered = Vec::new();
    for n in 0..20 {
        let answer = place(n).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answered.push(answer.number("id"));
    }

    room.take(&running);
    let mut refused = 0;
    let start = Instant::now();
    while refused < 20 {
        let answer = place(99).await;
        match answer.status {
            // What is left in the files that are there already.
            201 | 202 => answered.push(answer.number("id")),
            _ => {
                assert_eq!(answer.status, 503, "{answer:?}");
                assert!(
                    answer.header("retry-after").is_some() && answer.text("detail").ends_with('.'),
                    "{answer:?}"
                );
                refused += 1;
            }
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "the disk is never full: {} answered",
            answered.len()
        );
    }
    let orders = http.get(4, "/orders").await.expect("an answer");
    assert_eq!(orders.status, 200, "looking is still possible");

    room.give_back(&running);
    until("it goes on", async || {
        let answer = place(100).await;
        let is_placed = answer.status == 201;
        answered.extend(is_placed.then(|| answer.number("id")));
        is_placed
    })
    .await;
    // The view's file is opened again by the next that is written to it.
    let shows = async || http.get(3, "/mypages").await.is_some_and(|answer| answer.status == 200);
    until("the view goes on", shows).await;
    let (report, code) = tool(&program, &data, &["audit"]).await;
    assert!(
        code == 0 && report.contains("clean") && !report.contains("under way"),
        "{report}{}",
        running.complaints()
    );
    let orders = http.all("orders", "id").await;
    assert!(answered.iter().all(|id| orders.contains_key(id)), "what was answered is kept");
    let said = running.complaints();
    assert!(!said.contains("panicked"), "{said}");
    running.close().await;

    let running = Program::open(&program, &linked, ports, &[]).await;
    let again = http.all("orders", "id").await;
    assert_eq!(again, orders, "nothing is damaged");
    running.close().await;
}
