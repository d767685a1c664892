//! Two replicas of each service and a gateway as real processes on engines of their own, killed at random moments under
//! load, and a third replica of each added meanwhile: nothing that was answered may be lost, and nothing done twice.
//!
//! `RENTALBOOK_KILL_SEED` repeats the choices of an earlier run, `RENTALBOOK_KILLS` changes how many there are.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use platform_testkit::{kafka::KafkaServer, postgres::PostgresServer, redis::RedisServer, until};

use crate::killing::{
    a_seed, check_keys, check_orders,
    client::{Manner, Memory, Random, borrow_for_ever},
    from_environment,
    program::{Http, Ports, as_tested, free_ports},
    table::{Killed, is_clean},
};

/// Connections that place, cancel and hand over.
const CONNECTIONS: u64 = 8;

/// Orders that are placed at least: about a third of them are cancelled, and about a third handed over.
const ORDERS: u64 = 2_000;

/// Services by the places of [`Ports`].
const NAMES: [&str; 5] = ["order", "rent", "delivery", "mypage", "gateway"];

/// A process to be killed, and what it is started with.
struct Replica {
    place: usize,
    port: u16,
    child: Child,
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Site<'a> {
    environment: Vec<(&'static str, String)>,
    logs: &'a Path,
}

impl Site<'_> {
    fn spawn(&self, place: usize, port: u16) -> Child {
        let name = NAMES[place];
        let log = self.logs.join(format!("{name}-{port}"));
        let log = || File::options().create(true).append(true).open(&log).expect("a file");
        Command::new(as_tested())
            .arg(name)
            .env("RENTALBOOK_PORT", port.to_string())
            .envs(self.environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log())
            .spawn()
            .expect("the program starts")
    }

    fn start(&self, place: usize, port: u16) -> Replica {
        Replica { place, port, child: self.spawn(place, port) }
    }

    /// Runs a tool: what it says, and its exit code.
    async fn tool(&self, tool: &str) -> (String, Option<i32>) {
        let mut command = Command::new(as_tested());
        command.args(["tools", "--distributed", tool]);
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        let output = tokio::task::spawn_blocking(move || command.output().expect("it runs"));
        let output = output.await.expect("it ran");
        // An answer is on standard output; beside it the engines' clients may have something to say.
        let said =
            if output.status.success() { output.stdout } else { [output.stdout, output.stderr].concat() };
        (String::from_utf8_lossy(&said).into_owned(), output.status.code())
    }

    /// What the audit says, and whether that is that all is clean, and nothing else.
    async fn audit(&self) -> (String, bool) {
        let (report, code) = self.tool("audit").await;
        let is_clean = code == Some(0) && is_clean(&report);
        (report, is_clean)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_of_nine_processes_is_killed_and_nothing_is_lost_or_done_twice() {
    let seed = from_environment("RENTALBOOK_KILL_SEED").unwrap_or_else(a_seed);
    let kills = from_environment("RENTALBOOK_KILLS").unwrap_or(30);
    println!("RENTALBOOK_KILL_SEED={seed} RENTALBOOK_KILLS={kills} repeats the choices of this run");
    let (postgres, kafka, redis) = (PostgresServer::start(), KafkaServer::start(), RedisServer::start());
    for service in &NAMES[..3] {
        postgres.create_database(&format!("rentalbook_{service}"));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second, third) = (free_ports(), free_ports(), free_ports());
    let urls =
        |n: usize| [first, second, third].map(|ports| format!("http://127.0.0.1:{}", ports[n])).join(",");
    let site = Site {
        environment: vec![
            ("RENTALBOOK_POSTGRES_PORT", postgres.port().to_string()),
            ("RENTALBOOK_POSTGRES_CONNECTIONS", "4".to_owned()),
            ("RENTALBOOK_KAFKA_BROKERS", kafka.bootstrap()),
            ("RENTALBOOK_REDIS_PORT", redis.port().to_string()),
            ("RENTALBOOK_ORDER_URL", urls(0)),
            ("RENTALBOOK_RENT_URL", urls(1)),
            ("RENTALBOOK_DELIVERY_URL", urls(2)),
            ("RENTALBOOK_MYPAGE_URL", urls(3)),
        ],
        logs: folder.path(),
    };
    let both = (0..4).flat_map(|place| [(place, first[place]), (place, second[place])]);
    let mut replicas: Vec<_> = both.chain([(4, first[4])]).map(|(n, port)| site.start(n, port)).collect();
    let http = Http::new(first);
    until_ready([first, second]).await;

    let (start, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let client = |n| {
        tokio::spawn(borrow_for_ever(n, seed, Http::new(first), Manner::MANY_PROCESSES, Arc::clone(&stop)))
    };
    let clients: Vec<_> = (0..CONNECTIONS).map(client).collect();
    let mut random = Random(seed);
    for kill in 0..kills {
        // A fifth of the kills for two replicas of each service, and one more service has three after each other fifth.
        let added = replicas.len() - 9;
        if added < 4 && kill * 5 >= kills * (added as u64 + 1) {
            replicas.push(site.start(added, third[added]));
        }
        let all = replicas.len() as u64;
        let victim = &mut replicas[random.below(all) as usize];
        victim.child.kill().expect("it is killed");
        victim.child.wait().expect("it has ended");
        tokio::time::sleep(Duration::from_millis(random.below(700))).await;
        victim.child = site.spawn(victim.place, victim.port);
        tokio::time::sleep(Duration::from_millis(random.below(700))).await;
    }
    until_ready([first, second, third]).await;
    assert_eq!(replicas.len(), 13, "each service has three");
    while http.until_more("orders", 50).await < ORDERS {}
    stop.store(true, Ordering::Release);
    let mut memory = Memory::default();
    for client in clients {
        memory.absorb(client.await.expect("the client"));
    }
    let (audit, audited_clean) = site.audit().await;

    let orders = http.all("orders", "id").await;
    let deliveries = http.all("deliveries", "orderId").await;
    let killed = Killed { wiring: "many processes", seed, kills, lasted: start.elapsed(), audit };
    killed.print(&memory, &orders);
    assert!(audited_clean, "{}", killed.audit);
    check_orders(&memory, &orders, &deliveries);
    check_keys(&memory, &orders);
    assert!(memory.orders.len() > 100 && !memory.cancelled.is_empty() && !memory.handed_over.is_empty());
    let live = http.all("mypages", "orderId").await;
    assert_eq!(live.len(), orders.len(), "mypage shows every order");
    let (said, code) = site.tool("rebuild-view").await;
    assert_eq!(code, Some(0), "{said}");
    assert!(http.all("mypages", "orderId").await == live, "the rebuilt view is the live one");
    let (report, is_clean) = site.audit().await;
    assert!(is_clean, "{report}");
    assert!(replicas.iter_mut().all(|replica| replica.child.try_wait().expect("a status").is_none()));
}

/// The gateway is among the first.
async fn until_ready<const N: usize>(replicas: [Ports; N]) {
    for (n, ports) in replicas.into_iter().enumerate() {
        let http = Http::new(ports);
        for (place, name) in NAMES.iter().enumerate().take(if n == 0 { 5 } else { 4 }) {
            until(&format!("{name} is ready"), async || {
                let answer = http.get(place, "/actuator/health/readiness").await;
                answer.is_some_and(|answer| answer.status == 200)
            })
            .await;
        }
    }
}
