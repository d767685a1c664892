//! A real PostgreSQL: `scripts/engines/postgres.sh`.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::engine::{Engine, How};

/// The administrator of every server.
pub const USER: &str = "postgres";

const OPTIONS: [&str; 2] = ["max_connections=300", "shared_buffers=64MB"];

/// What a test loses by a power cut may be lost.
const FOR_TESTS: &str = "fsync=off";

/// A server with a port and a folder of its own. When it is dropped, or its process ends in whatever way, the server
/// is stopped and the folder removed.
pub struct PostgresServer {
    engine: Engine,
    password_file: Option<PathBuf>,
    databases: AtomicU32,
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
        let password_file = password.map(a_file_of_our_own);
        let how = How {
            script: "postgres",
            options: OPTIONS.iter().chain(options).copied().collect(),
            environment: password_file.iter().map(|file| ("POSTGRES_PASSWORD_FILE", file.clone())).collect(),
        };
        Self { engine: Engine::start(&how), password_file, databases: AtomicU32::new(0) }
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.engine.port()
    }

    /// A database that was not there before.
    #[must_use]
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.engine.run("create", &[&name]);
        name
    }

    /// Makes a database with this name, for programs that know it by name.
    pub fn create_database(&self, name: &str) {
        self.engine.run("create", &[name]);
    }

    /// Ends it as a crash does: every connection breaks, and what was committed is there afterwards.
    pub fn kill(&self) {
        self.engine.kill();
    }

    /// Starts it again after [`PostgresServer::kill`], where it was.
    pub fn start_again(&self) {
        self.engine.start_again();
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if let Some(file) = &self.password_file {
            let _ = fs::remove_file(file);
        }
    }
}

/// A file with the password that only we can read.
fn a_file_of_our_own(password: &str) -> PathBuf {
    static FILES: AtomicU32 = AtomicU32::new(0);
    let name = format!("postgres-{}-{}.password", std::process::id(), FILES.fetch_add(1, Ordering::Relaxed));
    let file = std::env::temp_dir().join(name);
    fs::write(&file, password).expect("a file for the password");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a file of our own");
    file
}
