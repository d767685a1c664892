//! A library in a folder, open or closed, as a process.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hyper::Method;
use platform_storage::rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    harness::Answer,
    killing::program::{Http, Ports, Program, as_tested, free_ports, tool},
};

/// Longest wait for a state that must come.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Home {
    folder: tempfile::TempDir,
    ports: Ports,
    pub(crate) http: Http,
}

impl Home {
    pub(crate) fn new() -> Self {
        let ports = free_ports();
        Self { folder: tempfile::tempdir().expect("a folder"), ports, http: Http::new(ports) }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn port(&self, service: usize) -> u16 {
        self.ports[service]
    }

    pub(crate) async fn open(&self) -> Program {
        self.open_with(&[]).await
    }

    /// Opens it with further options.
    pub(crate) async fn open_with(&self, more: &[&str]) -> Program {
        let more = [&["--suspended-customers", "lee"], more].concat();
        Program::open(&as_tested(), &self.data(), self.ports, &more).await
    }

    pub(crate) async fn tool(&self, args: &[&str]) -> (String, i32) {
        tool(&as_tested(), &self.data(), args).await
    }

    /// A tool that succeeds; what it says.
    pub(crate) async fn done(&self, args: &[&str]) -> String {
        let (said, code) = self.tool(args).await;
        assert_eq!(code, 0, "{args:?}: {said}");
        said
    }

    pub(crate) async fn is_clean(&self) {
        let report = self.done(&["audit"]).await;
        assert!(report.contains("clean") && !report.contains("under way"), "{report}");
    }

    pub(crate) async fn place(&self, body: &Value) -> Answer {
        self.http.ask(4, Method::POST, "/orders", &[], Some(body)).await.expect("an answer")
    }

    pub(crate) async fn an_order(&self, item: &str) -> i64 {
        let answer = self.place(&json!({ "item": item })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.number("id")
    }

    pub(crate) async fn patch(&self, path: &str, status: &str) {
        let body = json!({ "status": status });
        let answer = self.http.ask(4, Method::PATCH, path, &[], Some(&body)).await.expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Waits until a resource has a status.
    pub(crate) async fn until(&self, path: &str, status: &str) {
        let start = Instant::now();
        loop {
            let answer = self.http.get(4, path).await.expect("an answer");
            if answer.status == 200 && answer.text("status") == status {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{path} is never {status}: {answer:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A closed library with four orders at rest: 1 is being prepared, 2 is shipped, 3 is cancelled, 4 was refused.
    pub(crate) async fn with_four_orders() -> Self {
        let home = Self::new();
        let running = home.open().await;
        for item in ["being prepared", "shipped", "cancelled"] {
            let order = home.an_order(item).await;
            home.until(&format!("/mypages/{order}"), "Ship").await;
        }
        home.patch("/deliveries/2", "Shipped").await;
        home.patch("/orders/3", "Order Cancel").await;
        assert_eq!(home.place(&json!({ "item": "refused", "customer": "lee" })).await.status, 409);
        for (order, status) in [(2, "Shipped"), (3, "Ship Canceled"), (4, "Order Rejected")] {
            home.until(&format!("/mypages/{order}"), status).await;
        }
        home.is_clean().await;
        running.close().await;
        home.empty_logs();
        home
    }

    /// Moves what SQLite still keeps beside its files into them, so that a file is all there is.
    pub(crate) fn empty_logs(&self) {
        for file in ["order.db", "rent.db", "delivery.db", "bus.db"] {
            let connection = Connection::open(self.data().join(file)).expect("the file");
            let checkpoint =
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
            assert_eq!(checkpoint, Ok(0), "nobody has it open");
        }
    }

    /// The same library in another folder.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        fs::create_dir(copy.data()).expect("a folder");
        copy_files(&self.data(), &copy.data());
        copy
    }
}

pub(crate) fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
        }
    }
}
