//! A disk of a few megabytes, which only root can mount. Where it cannot be, nothing is tested and the test says so.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use hyper::Method;
use serde_json::json;

use crate::{
    killing::program::{Http, Program, as_tested, free_ports, run, tool},
    tools::is_one_sentence,
};

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
        let _ = std::io::stderr().write_all(b"full_disk: not tested, a tmpfs can only be mounted by root\n");
        None
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all room that is left.
    fn fill(&self) -> PathBuf {
        let ballast = self.path().join("ballast");
        let mut file = fs::File::create(&ballast).expect("a file");
        for piece in [64 * 1024, 4096, 512] {
            while file.write_all(&vec![0; piece]).is_ok() {}
        }
        ballast
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
fn a_library_does_not_start_on_a_full_disk_and_says_so() {
    let Some(disk) = SmallDisk::mount("4m") else { return };
    let ballast = disk.fill();
    let data = disk.path().join("data").display().to_string();
    let output = run(&as_tested(), &["--data", &data]);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(!output.status.success() && output.stdout.is_empty(), "{said}");
    assert!(said.contains(&data) && is_one_sentence(&said), "{said}");
    fs::remove_file(ballast).expect("room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_makes_the_library_ask_to_come_back_and_then_it_goes_on() {
    let Some(disk) = SmallDisk::mount("48m") else { return };
    let (program, data, ports) = (as_tested(), disk.path().join("data"), free_ports());
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

    let ballast = disk.fill();
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

    fs::remove_file(ballast).expect("room again");
    let start = Instant::now();
    loop {
        let answer = place(100).await;
        if answer.status == 201 {
            answered.push(answer.number("id"));
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "it never goes on: {answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
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
