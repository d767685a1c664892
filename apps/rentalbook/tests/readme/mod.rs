//! Every command of both READMEs, run as it is written, must do what stands below it.

mod blocks;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
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

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"))
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
    let program = program::as_released();
    // They are the same, so one run is a run of both.
    let mut steps = steps(&read("README.md")).into_iter();
    assert_eq!(steps.next().expect("a first step").command, "make run");
    for port in PORTS {
        let free = std::net::TcpListener::bind(("127.0.0.1", port));
        assert!(
            free.is_ok(),
            "port {port} is in use; the commands of the README need it: stop what listens there"
        );
    }
    let place = Place::new(&program);

    let library = place.make_run().await;
    for step in steps {
        tokio::time::sleep(PAUSE).await;
        place.follow(&step).await;
    }
    drop(library);
}

/// A folder to stand in, with `make` and `cargo` that run the released program instead of building it.
struct Place {
    folder: tempfile::TempDir,
    path: String,
}

impl Place {
    fn new(program: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).expect("a folder");
        let program = program.display();
        shim(&bin.join("make"), &format!("[ \"$*\" = run ] && exec '{program}'"));
        let cargo =
            format!("[ \"$1 $2 $3 $4\" = 'run --release -q --' ] && shift 4 && exec '{program}' \"$@\"");
        shim(&bin.join("cargo"), &cargo);
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("PATH"));
        Self { folder, path }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-c", line]).current_dir(self.folder.path()).env("PATH", &self.path);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RENTALBOOK_")) {
            command.env_remove(name);
        }
        command
    }

    /// The first terminal.
    async fn make_run(&self) -> Guard {
        let stdout = fs::File::create(self.folder.path().join("stdout")).expect("a file");
        let stderr = fs::File::create(self.folder.path().join("stderr")).expect("a file");
        // With `exec` at every step the shell becomes the program, so that killing it ends the library.
        let child = self.command("exec make run").stdout(stdout).stderr(stderr).spawn().expect("it starts");
        let guard = Guard(child);
        let http = Http::new(PORTS);
        let start = Instant::now();
        while http.get(4, "/actuator/health").await.is_none_or(|answer| answer.status != 200) {
            let said = || fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default();
            assert!(start.elapsed() < PATIENCE, "it never opened: {}", said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        guard
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

fn shim(path: &PathBuf, script: &str) {
    let refuse = "echo \"this test knows no $0 $*\" >&2; exit 64";
    fs::write(path, format!("#!/bin/bash\n{script}\n{refuse}\n")).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("permissions");
}

/// The library of the first terminal; killed when the test ends, however that is.
struct Guard(std::process::Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
