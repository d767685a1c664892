//! The real program under load is killed at random moments and started again: nothing that it has answered may be
//! lost, and everything must come to a good end.
//!
//! `RENTALBOOK_KILL_SEED` repeats the moments of an earlier run, `RENTALBOOK_KILLS` changes how many there are.

pub(crate) mod client;
pub(crate) mod program;
pub(crate) mod table;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use client::{Manner, Memory, Random, borrow_for_ever};
use program::{Http, Ports, Program, tool};
use table::{Killed, is_clean};

/// Connections that place, cancel and hand over, each one request after the other.
const CONNECTIONS: u64 = 16;

pub(crate) fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a whole number")))
}

pub(crate) fn a_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time");
    now.as_millis() as u64
}

struct Place {
    program: PathBuf,
    data: PathBuf,
    ports: Ports,
}

impl Place {
    async fn tool(&self, args: &[&str]) -> (String, i32) {
        tool(&self.program, &self.data, args).await
    }

    /// What the audit says, and whether that is that all is clean, and nothing else.
    async fn audit(&self) -> (String, bool) {
        let (report, code) = self.tool(&["audit"]).await;
        let is_clean = code == 0 && is_clean(&report);
        (report, is_clean)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_is_killed_at_random_moments_and_nothing_that_it_answered_is_lost() {
    let seed = from_environment("RENTALBOOK_KILL_SEED").unwrap_or_else(a_seed);
    let kills = from_environment("RENTALBOOK_KILLS").unwrap_or(30);
    println!("RENTALBOOK_KILL_SEED={seed} RENTALBOOK_KILLS={kills} repeats the moments of this run");
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place {
        program: program::as_released(),
        data: folder.path().join("data"),
        ports: program::free_ports(),
    };
    let start = Instant::now();

    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|n| {
            tokio::spawn(borrow_for_ever(
                n,
                seed,
                Http::new(place.ports),
                Manner::ONE_PROCESS,
                Arc::clone(&stop),
            ))
        })
        .collect();
    let mut running = kill_again_and_again(&place, &mut Random(seed), kills).await;
    running.until_open().await;
    // The last life is used, too.
    Http::new(place.ports).until_more("orders", 50).await;
    stop.store(true, Ordering::Release);
    let mut memory = Memory::default();
    for client in clients {
        memory.absorb(client.await.expect("the client"));
    }
    let (audit, audited_clean) = place.audit().await;

    let http = Http::new(place.ports);
    let orders = http.all("orders", "id").await;
    let deliveries = http.all("deliveries", "orderId").await;
    let killed = Killed { wiring: "one machine", seed, kills, lasted: start.elapsed(), audit };
    killed.print(&memory, &orders);
    assert!(audited_clean, "{}", killed.audit);
    check_orders(&memory, &orders, &deliveries);
    check_keys(&memory, &orders);
    assert!(memory.orders.len() > 100 && !memory.cancelled.is_empty() && !memory.handed_over.is_empty());

    let live = http.all("mypages", "orderId").await;
    assert_eq!(live.len(), orders.len(), "mypage shows every order");
    running.close().await;
    check_rebuilt(&place, &live).await;
}

/// Starts and kills the library `kills` times; returns its last life.
async fn kill_again_and_again(place: &Place, random: &mut Random, kills: u64) -> Program {
    let start = || Program::spawn(&place.program, &place.data, place.ports, &[]);
    for n in 0..kills {
        let mut running = start();
        if random.one_in(4) {
            // In the middle of starting.
            tokio::time::sleep(Duration::from_millis(random.below(60))).await;
        } else {
            running.until_open().await;
            if n % 4 == 1 {
                // So that there is something to catch up on.
                let service = ["rent", "delivery", "mypage", "order"][(n / 4 % 4) as usize];
                let (said, code) = place.tool(&["stop", service]).await;
                assert_eq!(code, 0, "{said}");
            }
            tokio::time::sleep(Duration::from_millis(random.below(900))).await;
        }
        running.kill();
    }
    start()
}

pub(crate) fn check_orders(
    memory: &Memory,
    orders: &BTreeMap<i64, Value>,
    deliveries: &BTreeMap<i64, Value>,
) {
    let status = |rows: &BTreeMap<i64, Value>, id| rows.get(id).map(|row| row["status"].clone());
    for (id, item) in &memory.orders {
        let order = orders.get(id).unwrap_or_else(|| panic!("order {id} ({item}) was answered and is lost"));
        assert_eq!(order["item"], item.as_str(), "order {id}");
    }
    for id in &memory.handed_over {
        let both = (status(orders, id), status(deliveries, id));
        assert_eq!(both, (Some("Shipped".into()), Some("Shipped".into())), "order {id} was handed over");
    }
    for id in &memory.cancelled {
        // The courier may have been faster: then the parcel must be on its way, too.
        let expected = match status(deliveries, id) {
            Some(shipped) if shipped == "Shipped" => "Shipped",
            _ => "Order Canceled",
        };
        assert_eq!(status(orders, id), Some(expected.into()), "order {id} was cancelled");
    }
    for (id, order) in orders {
        let last = ["Ordered", "Shipped", "Order Canceled"];
        assert!(last.iter().any(|last| order["status"] == *last), "order {id} has come to no end: {order}");
    }
}

/// Every key has an item of its own, so two orders of one key would be two orders of one item.
pub(crate) fn check_keys(memory: &Memory, orders: &BTreeMap<i64, Value>) {
    let mut placed = HashMap::<&str, Vec<i64>>::new();
    for (id, order) in orders {
        placed.entry(order["item"].as_str().expect("an item")).or_default().push(*id);
    }
    for (item, answered) in &memory.keyed {
        let placed = placed.get(item.as_str()).cloned().unwrap_or_default();
        assert!(placed.len() <= 1, "one key, orders {placed:?}");
        assert!(
            answered.iter().all(|id| placed.contains(id)),
            "{item}: answered {answered:?}, placed {placed:?}"
        );
    }
    assert!(memory.keyed.len() > 20);
}

/// The view from the topic, built while nothing runs, must show what the live one has shown.
async fn check_rebuilt(place: &Place, live: &BTreeMap<i64, Value>) {
    let (said, code) = place.tool(&["rebuild-view"]).await;
    assert!(code == 0 && said.contains("built again"), "{said}");
    let (report, is_clean) = place.audit().await;
    assert!(is_clean, "{report}");
    let running = open(&place.program, &place.data, place.ports).await;
    let rebuilt = Http::new(place.ports).all("mypages", "orderId").await;
    for (id, row) in live {
        assert_eq!(rebuilt.get(id), Some(row), "order {id}");
    }
    assert_eq!(rebuilt.len(), live.len());
    running.close().await;
}

async fn open(program: &Path, data: &Path, ports: Ports) -> Program {
    Program::open(program, data, ports, &[]).await
}
