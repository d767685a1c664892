//! A real Redis: `scripts/engines/redis.sh`.

use std::{
    fs,
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::engine::{Engine, How};

/// A server with a port and a folder of its own, which keeps nothing beyond its end unless it is told to. When it is
/// dropped, or its process ends in whatever way, the server is stopped and the folder removed.
pub struct RedisServer {
    engine: Engine,
    prefixes: AtomicU32,
    password_file: Option<PathBuf>,
}

impl RedisServer {
    /// The user that a server with a password lets in.
    pub const USER: &'static str = "rentalbook";

    /// The server that the tests of a binary share. It is started with the first of them.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<RedisServer> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of its own, for a test that stops it.
    #[must_use]
    pub fn start() -> Self {
        Self::with(Vec::new(), None)
    }

    /// A server of its own that keeps what it has when it is killed.
    #[must_use]
    pub fn that_keeps() -> Self {
        Self::with(vec!["--appendonly", "yes", "--appendfsync", "always"], None)
    }

    /// A server of its own that demands [`RedisServer::USER`] and this password.
    #[must_use]
    pub fn with_password(password: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("redis-password-{}-{n}", std::process::id()));
        fs::write(&file, password).expect("a file");
        Self::with(Vec::new(), Some(file))
    }

    fn with(options: Vec<&'static str>, password_file: Option<PathBuf>) -> Self {
        let environment = password_file.iter().map(|file| ("REDIS_PASSWORD_FILE", file.clone())).collect();
        let how = How { script: "redis", options, environment };
        Self { engine: Engine::start(&how), prefixes: AtomicU32::new(0), password_file }
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.engine.port()
    }

    /// What keys can begin with that nobody else's do.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("test-{}:", self.prefixes.fetch_add(1, Ordering::Relaxed))
    }

    /// Ends it as a crash does.
    pub fn kill(&self) {
        self.engine.kill();
    }

    /// Starts it again after [`RedisServer::kill`]: empty, unless it keeps what it has.
    pub fn start_again(&self) {
        self.engine.start_again();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(file) = &self.password_file {
            let _ = fs::remove_file(file);
        }
    }
}
