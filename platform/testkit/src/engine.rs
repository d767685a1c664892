//! A real server, as one of the project's own scripts starts it: `scripts/engines`.
//!
//! A test that needs it fails where it cannot be started; the script's words say what is missing.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// Between looking for a free port and taking it somebody else may take it.
const ATTEMPTS: usize = 3;

/// A server with a port and a folder of its own. When it is dropped, or its process ends in whatever way, the server
/// is stopped and the folder removed.
pub(crate) struct Engine {
    how: How,
    port: u16,
    folder: PathBuf,
    holder: Child,
}

/// How it is started.
#[derive(Clone)]
pub(crate) struct How {
    /// The script in `scripts/engines`, without its ending: the engine's name.
    pub(crate) script: &'static str,
    /// The server's own settings.
    pub(crate) options: Vec<&'static str>,
    /// What the script finds in its environment.
    pub(crate) environment: Vec<(&'static str, PathBuf)>,
}

impl Engine {
    /// Starts it, and returns when it answers.
    pub(crate) fn start(how: &How) -> Self {
        let mut last_words = String::new();
        for _ in 0..ATTEMPTS {
            match Self::try_start(how) {
                Ok(engine) => return engine,
                Err(words) => last_words = words,
            }
        }
        panic!("no {} for this test: {last_words}", how.script)
    }

    fn try_start(how: &How) -> Result<Self, String> {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let folder = std::env::temp_dir().join(format!("{}-{}-{port}", how.script, std::process::id()));
        let mut holder = how
            .command("hold", &folder, port)
            .args(&how.options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the script runs");
        let mut line = String::new();
        let stdout = holder.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("the script's words");
        if line.trim() == "ready" {
            return Ok(Self { how: how.clone(), port, folder, holder });
        }
        let ended = holder.wait_with_output().expect("the script ends");
        Err(String::from_utf8_lossy(&ended.stderr).into_owned())
    }

    /// Its port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&self) {
        self.run("kill", &[]);
    }

    /// Starts it again where it was.
    pub(crate) fn start_again(&self) {
        self.run("start", &self.how.options);
    }

    /// Another command of the script.
    pub(crate) fn run(&self, command: &str, arguments: &[&str]) {
        let output = self
            .how
            .command(command, &self.folder, self.port)
            .args(arguments)
            .output()
            .expect("the script runs");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

impl How {
    fn command(&self, command: &str, folder: &std::path::Path, port: u16) -> Command {
        let engines = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/engines");
        let mut script = Command::new(format!("{engines}/{}.sh", self.script));
        // What whoever runs the tests has set for his own server is not meant for these.
        script.arg(command).arg(folder).arg(port.to_string()).env_remove("POSTGRES_PASSWORD_FILE");
        script.envs(self.environment.iter().map(|(name, value)| (name, value)));
        script
    }
}
