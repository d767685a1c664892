//! The library over many processes, started, looked at and stopped as the README says.

use std::{
    fs::{self, Permissions, set_permissions},
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

impl Many {
    /// What Ctrl-C ends is the session of the terminal.
    fn replicas_have_sessions_of_their_own(&self) {
        for replica in ["order-8081", "rent-8182", "gateway-8088"] {
            let file = self.place.folder.path().join(format!("{replica}.pid"));
            let id = fs::read_to_string(file).expect("the id of a process");
            let id = id.trim();
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("it runs");
            // Behind the name, in parentheses: state, parent, group, session.
            let session = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(3));
            assert_eq!(session, Some(id), "{replica}");
        }
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
    many.replicas_have_sessions_of_their_own();
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

#[test]
fn an_installation_that_is_broken_off_leaves_no_policy_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        set_permissions(&path, Permissions::from_mode(0o755)).expect("executable");
    };
    put("id", "#!/bin/sh\necho 0\n");
    // In the middle of it somebody loses patience.
    put(
        "apt-get",
        "#!/bin/sh\n[ -e \"$POLICY\" ] && touch \"$POLICY.was-there\"\nkill -TERM $PPID\nexit 1\n",
    );
    let script = r#"
        set -eu
        . scripts/engines/install.sh
        policy_file=$POLICY
        is_there() { false; }
        ensure_installed something is_there something
    "#;
    let policy = folder.path().join("policy-rc.d");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("bash")
        .args(["-c", script])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .env("POLICY", &policy)
        .env("TMPDIR", folder.path())
        .env("PATH", path)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(folder.path().join("policy-rc.d.was-there").exists(), "{said}");
    assert!(!policy.exists(), "{said}");
}
