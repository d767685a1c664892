//! The library as a process, started, asked, killed and started again by a test.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, body::Bytes};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

use crate::harness::Answer;

/// Longest wait for a start or an end. Far more than it takes, so that a slow machine fails nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program that `cargo test` has built with these tests.
pub(crate) fn as_tested() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_rentalbook"))
}

/// The program as people run it, optimised. `make test` builds it before the tests.
pub(crate) fn as_released() -> PathBuf {
    let given = std::env::var_os("RENTALBOOK_PROGRAM").map(PathBuf::from);
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/rentalbook");
    let path = given.unwrap_or_else(built);
    assert!(path.is_file(), "there is no program {}: run `make test`, which builds it first", path.display());
    path.canonicalize().expect("a path")
}

/// Ports of the five services: order, rent, delivery, mypage, gateway.
pub(crate) type Ports = [u16; 5];

/// Five ports that are free now and that no client is given by the system: those begin at 32768.
pub(crate) fn free_ports() -> Ports {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let mut ports = [0; 5];
    let start = std::process::id() as u16 % 1500 * 8;
    for port in &mut ports {
        *port = loop {
            let n = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
            if std::net::TcpListener::bind(("127.0.0.1", 20_000 + n)).is_ok() {
                break 20_000 + n;
            }
        };
    }
    ports
}

/// A process of the library. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    pub(crate) ports: Ports,
    stderr: PathBuf,
}

impl Program {
    /// Starts the library of `data`; it may not be open yet. What it says goes into files beside `data`.
    pub(crate) fn spawn(program: &Path, data: &Path, ports: Ports, more: &[&str]) -> Self {
        let (stdout, stderr) = (data.with_extension("stdout"), data.with_extension("stderr"));
        let file = |path: &PathBuf| File::options().create(true).append(true).open(path).expect("a file");
        let child = Command::new(program)
            .args(args(data, ports))
            .args(more)
            .env("RENTALBOOK_LOG", std::env::var("RENTALBOOK_LOG").unwrap_or_else(|_| "info".to_owned()))
            .stdin(Stdio::null())
            .stdout(file(&stdout))
            .stderr(file(&stderr))
            .spawn()
            .expect("the program starts");
        Self { child, ports, stderr }
    }

    /// Starts the library of `data` and waits until it is open.
    pub(crate) async fn open(program: &Path, data: &Path, ports: Ports, more: &[&str]) -> Self {
        let mut started = Self::spawn(program, data, ports, more);
        started.until_open().await;
        started
    }

    /// Waits until the gateway answers: it is the last to start.
    pub(crate) async fn until_open(&mut self) {
        let client = Http::new(self.ports);
        let start = Instant::now();
        while client.get(4, "/actuator/health").await.is_none_or(|answer| answer.status != 200) {
            if let Some(status) = self.child.try_wait().expect("a status") {
                panic!("it ended by itself, {status}: {}", self.complaints());
            }
            assert!(start.elapsed() < PATIENCE, "it never opened: {}", self.complaints());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What it has said on standard error.
    pub(crate) fn complaints(&self) -> String {
        let mut text = String::new();
        File::open(&self.stderr).and_then(|mut file| file.read_to_string(&mut text)).expect("its words");
        text
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it has ended");
    }

    /// What Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success());
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("a status")
    }

    /// Waits until it has ended: how, and after how long.
    pub(crate) async fn until_ended(mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                return (status, start.elapsed());
            }
            assert!(start.elapsed() < PATIENCE, "it never ended: {}", self.complaints());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ctrl-C, and the end of it.
    pub(crate) async fn close(self) {
        self.interrupt();
        let stderr = self.stderr.clone();
        let (status, _) = self.until_ended().await;
        assert!(status.success(), "{status}: {}", std::fs::read_to_string(stderr).unwrap_or_default());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Where it has ended, nothing is killed: its id is still ours until it is waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn args(data: &Path, ports: Ports) -> Vec<String> {
    let names = ["order", "rent", "delivery", "mypage", "gateway"];
    let ports = names.iter().zip(ports).map(|(name, port)| format!("--{name}-port={port}"));
    std::iter::once(format!("--data={}", data.display())).chain(ports).collect()
}

/// Runs the program to its end. One that does not end, such as a library that should have refused to start, is
/// ended and fails the test.
pub(crate) fn run(program: &Path, args: &[&str]) -> Output {
    let mut child = Command::new(program)
        .args(args)
        .env_remove("RENTALBOOK_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let start = Instant::now();
    while child.try_wait().expect("a status").is_none() {
        if start.elapsed() > PATIENCE {
            child.kill().expect("it is killed");
            panic!("it does not end by itself: {args:?}: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().expect("its output")
}

/// Runs a tool on `data`, without holding up this test's other tasks: standard output and error, and exit code.
pub(crate) async fn tool(program: &Path, data: &Path, args: &[&str]) -> (String, i32) {
    let (program, data) = (program.to_owned(), data.display().to_string());
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let ran = tokio::task::spawn_blocking(move || {
        let args: Vec<&str> =
            ["tools", "--data", &data].into_iter().chain(args.iter().map(String::as_str)).collect();
        run(&program, &args)
    });
    let output = ran.await.expect("it ran");
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).expect("UTF-8"), output.status.code().expect("an exit code"))
}

/// A client that does not mind when nobody answers.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    ports: Ports,
}

impl Http {
    pub(crate) fn new(ports: Ports) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), ports }
    }

    /// Asks the service at this place of the ports; `None` where there was no whole answer.
    pub(crate) async fn ask(
        &self,
        service: usize,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Option<Answer> {
        let uri = format!("http://127.0.0.1:{}{path}", self.ports[service]);
        let mut request = Request::builder().method(method).uri(uri).header("accept", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(Full::new(Bytes::from(body))).expect("a request");
        let response = self.client.request(request).await.ok()?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    pub(crate) async fn get(&self, service: usize, path: &str) -> Option<Answer> {
        self.ask(service, Method::GET, path, &[], None).await
    }

    /// How many items a collection has, where it says so.
    pub(crate) async fn total(&self, collection: &str) -> Option<u64> {
        let answer =
            self.get(4, &format!("/{collection}?size=1")).await.filter(|answer| answer.status == 200)?;
        answer.json()["page"]["totalElements"].as_u64()
    }

    /// Waits until a collection has so many items more than now; how many it has then.
    pub(crate) async fn until_more(&self, collection: &str, more: u64) -> u64 {
        let before = self.total(collection).await.expect("a total");
        let mut now = before;
        platform_testkit::until(&format!("{more} more {collection}"), async || {
            now = self.total(collection).await.unwrap_or(now);
            now >= before + more
        })
        .await;
        now
    }

    /// Every item of a collection, by its `id`, or by its `orderId` where it has no other.
    pub(crate) async fn all(&self, collection: &str, sort: &str) -> std::collections::BTreeMap<i64, Value> {
        let mut items = std::collections::BTreeMap::new();
        for page in 0.. {
            let path = format!("/{collection}?sort={sort}&size=1000&page={page}");
            let answer = self.get(4, &path).await.expect("an answer").json();
            let found = answer["_embedded"][collection].as_array().expect("a list");
            if found.is_empty() {
                let total = answer["page"]["totalElements"].as_u64().expect("a total");
                assert_eq!(items.len() as u64, total, "all of {collection}");
                break;
            }
            for item in found {
                items.insert(item[sort].as_i64().expect("an id"), item.clone());
            }
        }
        items
    }
}
