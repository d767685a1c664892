//! Every command of both READMEs, run as it is written, must do what stands below it.

mod blocks;
#[cfg(feature = "distributed")]
mod many;

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use crate::killing::program::{self, Http, Ports};
use blocks::{Step, steps};

/// The ports that the READMEs name.
const PORTS: Ports = [8081, 8082, 8083, 8084, 8088];

/// A person is slower than that from one command to the next.
const PAUSE: Duration = Duration::from_millis(300);

/// Longest time that a look is repeated: what it shows follows events.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest time until the library is open: what is not up to date is built first.
const BUILDING: Duration = Duration::from_secs(900);

/// The folder of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Held by the test that has these ports.
static PORTS_IN_USE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Fails where somebody else has them.
fn ports_are_free() {
    for port in PORTS {
        let free = std::net::TcpListener::bind(("127.0.0.1", port));
        assert!(
            free.is_ok(),
            "port {port} is in use; the commands of the README need it: stop what listens there"
        );
    }
}

#[test]
fn both_readmes_have_the_same_commands_with_the_same_results() {
    let (english, korean) = (steps(&read("README.md")), steps(&read("README.ko.md")));
    assert_eq!(english, korean);
    assert!(english.len() >= 20, "{english:?}");
    let without: Vec<_> = english.iter().skip(1).filter(|step| step.expected.is_empty()).collect();
    assert!(without.is_empty(), "what do these show? {without:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_readmes_do_what_they_say() {
    // Nobody wants a test to build for minutes.
    program::as_released();
    // They are the same, so one run is a run of both.
    let mut steps = steps(&read("README.md")).into_iter();
    let first = steps.next().expect("a first step");
    assert_eq!(first.command, "make run");
    let _ports = PORTS_IN_USE.lock().await;
    ports_are_free();
    let place = Place::new();

    let mut library = place.run_library(&first.command).await;
    for step in steps {
        tokio::time::sleep(PAUSE).await;
        place.follow(&step).await;
    }
    library.ctrl_c();
    platform_testkit::until("the library is closed", async || place.said().ends_with("closed\n")).await;
}

/// The folder of the repository with a data folder that is elsewhere, so that a developer's own is left alone.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    /// A line as somebody types it: without the marks that Cargo and make leave on what they run.
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-c", line]).current_dir(root());
        let of_cargo = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "RENTALBOOK_", "MAKE"];
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for name in names.filter(|name| of_cargo.iter().any(|mark| name.starts_with(mark))) {
            command.env_remove(name);
        }
        for name in ["CARGO", "MFLAGS", "OUT_DIR"] {
            command.env_remove(name);
        }
        command.env("RENTALBOOK_DATA", self.folder.path().join("data"));
        command
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// What the library has said.
    fn said(&self) -> String {
        self.file("stdout")
    }

    /// The first terminal.
    async fn run_library(&self, line: &str) -> Terminal {
        let stdout = fs::File::create(self.folder.path().join("stdout")).expect("a file");
        let stderr = fs::File::create(self.folder.path().join("stderr")).expect("a file");
        let mut command = self.command(line);
        // A group of their own, as in a terminal: Ctrl-C is for make and for the library.
        let child = command
            .process_group(0)
            .stdout(stdout)
            .stderr(stderr)
            .stdin(Stdio::null())
            .spawn()
            .expect("bash");
        let mut terminal = Terminal(child);
        let http = Http::new(PORTS);
        let start = Instant::now();
        while http.get(4, "/actuator/health").await.is_none_or(|answer| answer.status != 200) {
            let ended = terminal.0.try_wait().expect("a status");
            assert!(ended.is_none(), "{line}: {}", self.file("stderr"));
            assert!(start.elapsed() < BUILDING, "it never opened: {}", self.file("stderr"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        terminal
    }

    /// The second terminal. Looks are repeated until they show what they must; changes are not.
    async fn follow(&self, step: &Step) {
        let start = Instant::now();
        loop {
            let Output { status, stdout, stderr } = self.command(&step.command).output().expect("it runs");
            let (said, complained) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
            let missing: Vec<_> = step.expected.iter().filter(|text| !said.contains(text.as_str())).collect();
            if status.success() && missing.is_empty() {
                return;
            }
            let again = step.is_a_look() && status.success() && start.elapsed() < PATIENCE;
            assert!(again, "{}\n{status}\n{said}{complained}\nwithout {missing:?}", step.command);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The processes of the first terminal; killed when the test ends, however that is.
struct Terminal(Child);

impl Terminal {
    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status();
    }

    fn ctrl_c(&mut self) {
        self.signal("-INT");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The group's id is still ours until its first process is waited for.
        self.signal("-KILL");
        let _ = self.0.wait();
    }
}
