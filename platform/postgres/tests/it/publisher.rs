//! A process of its own that publishes an outbox into a file.

use std::{
    fs::{self, OpenOptions},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use platform_event_bus::{BusError, EventBus, GroupPosition, NewRecord, Replay, Subscription};
use platform_outbox::Relay;
use platform_postgres::{Postgres, Settings};
use platform_testkit::postgres::USER;

use crate::a_store_later;

/// In the environment of a process that publishes: port, database and the file that it publishes into.
const PUBLISHES: &str = "POSTGRES_TEST_PUBLISHES";

/// What nobody asks a bus for that is only published on.
pub(crate) fn only_published() -> BusError {
    BusError::Unavailable("nobody reads here".to_owned())
}

/// A file that processes append to, a line for each record: name of the process, key, value.
struct FileBus {
    name: u32,
    file: PathBuf,
}

#[async_trait]
impl EventBus for FileBus {
    async fn publish(&self, _: &str, records: Vec<NewRecord>) -> Result<(), BusError> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let lines: String = records
            .iter()
            .map(|record| {
                let key = record.key.as_deref().unwrap_or_default();
                format!("{} {} {}\n", self.name, text(key), text(&record.value))
            })
            .collect();
        let mut file = OpenOptions::new().append(true).open(&self.file).expect("the file");
        file.write_all(lines.as_bytes()).expect("written");
        Ok(())
    }

    async fn subscribe(&self, _: &str, _: &str) -> Result<Box<dyn Subscription>, BusError> {
        Err(only_published())
    }

    async fn replay(&self, _: &str) -> Result<Box<dyn Replay>, BusError> {
        Err(only_published())
    }

    async fn positions(&self, _: &str, _: &str) -> Result<Vec<GroupPosition>, BusError> {
        Err(only_published())
    }
}

pub(crate) fn relay(store: &Postgres, bus: impl EventBus) -> Relay {
    Relay {
        outbox: Arc::new(store.outbox()),
        bus: Arc::new(bus),
        topic: "topic".to_owned(),
        gather: Duration::from_millis(1),
    }
}

/// This very test in a process of its own, which publishes until it is killed, or its input ends.
pub(crate) fn publish_here_if_asked() {
    let Ok(where_to) = std::env::var(PUBLISHES) else { return };
    let [port, database, file] = where_to.splitn(3, ' ').collect::<Vec<_>>()[..] else {
        panic!("{where_to}")
    };
    let settings = Settings {
        port: port.parse().expect("a port"),
        database: database.to_owned(),
        user: USER.to_owned(),
        ..Settings::default()
    };
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let bus = FileBus { name: std::process::id(), file: file.into() };
        relay(&a_store_later(&settings), bus).run().await;
    });
}

/// A process that publishes; it is killed when this is dropped.
pub(crate) struct Publisher(Child);

impl Publisher {
    pub(crate) fn start(test: &str, settings: &Settings, file: &Path) -> Self {
        let where_to = format!("{} {} {}", settings.port, settings.database, file.display());
        let child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", test, "--nocapture"])
            .env(PUBLISHES, where_to)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        Self(child.expect("it starts"))
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.0.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// How much it has published.
    pub(crate) fn lines(&self, file: &Path) -> usize {
        let name = self.0.id().to_string();
        lines(file).iter().filter(|(by, ..)| *by == name).count()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn lines(file: &Path) -> Vec<(String, String, i64)> {
    let text = fs::read_to_string(file).expect("the file");
    let line = |line: &str| {
        let [by, key, value] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        (by.to_owned(), key.to_owned(), value.parse().expect("a number"))
    };
    text.lines().map(line).collect()
}
