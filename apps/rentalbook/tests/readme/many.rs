//! The library over many processes, started, looked at and stopped as the README says.

use std::{
    fs::{Permissions, set_permissions},
    os::unix::fs::PermissionsExt as _,
    process::Command,
};

use super::{PAUSE, PORTS_IN_USE, Place, Step, blocks::steps, ports_are_free, read};
use crate::killing::program::{as_tested, free_ports};

/// The steps of one chapter.
fn chapter(document: &str, title: &str) -> Vec<Step> {
    let after =
        document.split(&format!("\n## {title}\n")).nth(1).unwrap_or_else(|| panic!("no chapter {title}"));
    steps(after.split("\n## ").next().unwrap_or_default())
}

/// The engines of these commands on ports that nobody else has, the state in a folder of its own.
struct Many {
    place: Place,
    engines: [u16; 5],
}

impl Many {
    fn command(&self, line: &str) -> Command {
        let mut command = self.place.command(line);
        let [postgres, kafka, redis, ..] = self.engines;
        command
            .env("RENTALBOOK_RUN", self.place.folder.path())
            .env("PROGRAM", as_tested())
            .env("POSTGRES_PORT", postgres.to_string())
            .env("KAFKA_PORT", kafka.to_string())
            .env("REDIS_PORT", redis.to_string());
        command
    }

    fn run(&self, line: &str) -> (String, bool) {
        let output = self.command(line).output().expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        (String::from_utf8_lossy(&said).into_owned(), output.status.success())
    }
}

impl Drop for Many {
    fn drop(&mut self) {
        self.run("make down");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_by_hand_works_over_many_processes() {
    let _ports = PORTS_IN_USE.lock().await;
    ports_are_free();
    let many = Many { place: Place::new(), engines: free_ports() };
    // Not only for us: PostgreSQL runs as another user.
    let everybody = Permissions::from_mode(0o755);
    set_permissions(many.place.folder.path(), everybody).expect("a folder for everybody");
    let (said, is_up) = many.run("make up");
    assert!(is_up, "{said}");
    for step in chapter(&read("README.md"), "The process by hand") {
        tokio::time::sleep(PAUSE).await;
        many.place.follow(&step).await;
    }
    let (said, is_up) = many.run("make status");
    assert!(is_up, "{said}");
    for part in ["postgres", "kafka", "redis", "order", "rent", "delivery", "mypage", "gateway"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let [postgres, kafka, redis, ..] = many.engines;
    let engines = format!(
        "RENTALBOOK_POSTGRES_PORT={postgres} RENTALBOOK_KAFKA_BROKERS=127.0.0.1:{kafka} RENTALBOOK_REDIS_PORT={redis}"
    );
    let (said, is_clean) = many.run(&format!("{engines} \"$PROGRAM\" tools --distributed audit"));
    assert!(is_clean && said.contains("2 orders") && said.contains("clean"), "{said}");

    let (said, is_down) = many.run("make down");
    assert!(is_down, "{said}");
    let (said, is_up) = many.run("make status");
    assert!(!is_up && said.contains("does not answer"), "{said}");
    ports_are_free();
}
