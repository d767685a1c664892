//! A real PostgreSQL, as the project's own script starts it: `scripts/engines/postgres.sh`.
//!
//! A test that needs it fails where it cannot be started; the script's words say what is missing.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// The administrator of every server.
pub const USER: &str = "postgres";

const OPTIONS: [&str; 2] = ["max_connections=300", "shared_buffers=64MB"];

/// What a test loses by a power cut may be lost.
const FOR_TESTS: &str = "fsync=off";

/// A server with a port and a folder of its own. When it is dropped, or its process ends in whatever way, the server
/// is stopped and the folder removed.
pub struct PostgresServer {
    port: u16,
    folder: PathBuf,
    password_file: Option<PathBuf>,
    options: Vec<&'static str>,
    databases: AtomicU32,
    holder: Child,
}

impl PostgresServer {
    /// The server that the tests of a binary share. It is started with the first of them.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<PostgresServer> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of its own, for a test that stops it. It lets everybody in.
    #[must_use]
    pub fn start() -> Self {
        Self::begin(None, &[FOR_TESTS])
    }

    /// A server that syncs as a real one does, for measurements.
    #[must_use]
    pub fn durable() -> Self {
        Self::begin(None, &[])
    }

    /// A server that demands user and password (scram-sha-256).
    #[must_use]
    pub fn with_password(password: &str) -> Self {
        Self::begin(Some(password), &[FOR_TESTS])
    }

    fn begin(password: Option<&str>, options: &[&'static str]) -> Self {
        let options: Vec<_> = OPTIONS.iter().chain(options).copied().collect();
        // Between looking for a free port and taking it somebody else may take it.
        let mut last_words = String::new();
        for _ in 0..3 {
            match Self::try_begin(password, options.clone()) {
                Ok(server) => return server,
                Err(words) => last_words = words,
            }
        }
        panic!("no PostgreSQL for this test: {last_words}")
    }

    fn try_begin(password: Option<&str>, options: Vec<&'static str>) -> Result<Self, String> {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let folder = std::env::temp_dir().join(format!("postgres-{}-{port}", std::process::id()));
        let password_file = password.map(|password| {
            let file = folder.with_extension("password");
            fs::write(&file, password).expect("a file for the password");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a file of our own");
            file
        });
        let mut command = script("hold", &folder, port, password_file.as_deref());
        let mut holder = command
            .args(&options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the script runs");
        let mut line = String::new();
        let stdout = holder.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("the script's words");
        if line.trim() == "ready" {
            return Ok(Self { port, folder, password_file, options, databases: AtomicU32::new(0), holder });
        }
        let ended = holder.wait_with_output().expect("the script ends");
        Err(String::from_utf8_lossy(&ended.stderr).into_owned())
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A database that was not there before.
    #[must_use]
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.run("create", &[&name]);
        name
    }

    /// Ends it as a crash does: every connection breaks, and what was committed is there afterwards.
    pub fn kill(&self) {
        self.run("kill", &[]);
    }

    /// Starts it again after [`PostgresServer::kill`], where it was.
    pub fn start_again(&self) {
        self.run("start", &self.options);
    }

    fn run(&self, command: &str, arguments: &[&str]) {
        let output = script(command, &self.folder, self.port, self.password_file.as_deref())
            .args(arguments)
            .output()
            .expect("the script runs");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
        if let Some(file) = &self.password_file {
            let _ = fs::remove_file(file);
        }
    }
}

fn script(command: &str, folder: &Path, port: u16, password_file: Option<&Path>) -> Command {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/engines/postgres.sh");
    let mut script = Command::new(path);
    script.arg(command).arg(folder).arg(port.to_string()).env_remove("POSTGRES_PASSWORD_FILE");
    if let Some(file) = password_file {
        script.env("POSTGRES_PASSWORD_FILE", file);
    }
    script
}
