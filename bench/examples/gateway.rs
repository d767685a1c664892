//! GET through a gateway in a process of its own against the same GET without it.
//!
//! `cargo run --release -p bench --example gateway [rounds [seconds]]`: order on SQLite as one replica, or as two,
//! the gateway and the load each in their own process, in turns.

#[allow(dead_code, reason = "the load of every measurement; here only a GET")]
#[path = "../src/load.rs"]
mod load;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use gateway::{Behind, Upstream};
use load::{Until, get_items, post_orders};
use order::{
    adapters::outbound::{clock::SystemClock, sqlite::SqliteOrders},
    application::{
        Orders, Policy,
        ports::{AskRent, RentAnswer, RentDesk},
    },
};
use platform_http::{
    About, Health, HealthCheck, Limits, Scrape, ServerConfig, actuator,
    client::{Client, ClientConfig, ServiceAddress},
};
use tower::Layer as _;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Orders that are there to be read.
const ITEMS: u64 = 1_000;

/// Confirms everything: the load only reads.
struct Always;

#[async_trait::async_trait]
impl RentDesk for Always {
    async fn confirm(&self, _: AskRent) -> RentAnswer {
        RentAnswer::Confirmed
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["order"] => serve_orders().await,
        ["gateway", address] => serve_gateway(address).await,
        _ => {
            let number = |at: usize, default| args.get(at).map_or(Ok(default), |text| text.parse::<u64>());
            compare(number(0, 5)?, Duration::from_secs(number(1, 3)?)).await
        }
    }
}

async fn serve(name: &'static str, router: Router) -> Result<()> {
    let about = About { name, version: "", commit: None };
    let health = HealthCheck::new(|| async { Health::up() });
    let scrape = Scrape::new(|| async { String::new() });
    let limited = Limits::default().layer(router.merge(actuator(about, health, scrape)));
    let listener = platform_http::bind("127.0.0.1:0".parse()?).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let app = Router::new().fallback_service(limited);
    platform_http::serve(listener, app, ServerConfig::default(), std::future::pending()).await;
    Ok(())
}

async fn serve_orders() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = SqliteOrders::open(&folder.path().join("order.db"), contracts::WireClock::default())?;
    let orders = Orders::new(Arc::new(store), Arc::new(Always), Arc::new(SystemClock), Policy::default());
    serve("order", order::adapters::inbound::rest::router(orders)).await
}

async fn serve_gateway(address: &str) -> Result<()> {
    let address = ServiceAddress::parse(address).map_err(|mistakes| format!("{mistakes:?}"))?;
    let service = Behind::There(Client::new(&address, &ClientConfig::default()));
    serve("gateway", gateway::router(vec![Upstream { collection: "orders", service }])).await
}

/// A process of this program; it ends with the measurement.
struct Process(Child, SocketAddr);

impl Process {
    fn start(args: &[&str]) -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut child = Command::new(program).args(args).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        Ok(Self(child, line.trim().parse()?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One side of a round.
struct Side {
    per_second: f64,
    p99: f64,
    /// Processor time of all processes for a request, in microseconds: it is the same on a busy machine.
    cost: f64,
}

async fn load_one(address: SocketAddr, all: &[&Process], time: Duration) -> Result<Side> {
    let get = get_items("orders", ITEMS);
    load::run(address, &get, 200, Until::Elapsed(Duration::from_millis(300))).await?;
    let before = processor_time(all)?;
    let outcome = load::run(address, &get, 200, Until::Elapsed(time)).await?;
    let spent = processor_time(all)? - before;
    assert_eq!(outcome.refused, 0, "every GET is answered");
    let cost = spent.as_secs_f64() * 1e6 / outcome.answered as f64;
    Ok(Side { per_second: outcome.per_second(), p99: outcome.percentile_ms(0.99), cost })
}

/// What these processes and this one, which makes the load, have used so far.
fn processor_time(all: &[&Process]) -> Result<Duration> {
    let mut ticks = 0;
    for pid in all.iter().map(|Process(child, _)| child.id()).chain([std::process::id()]) {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        ticks += fields.map(str::parse::<u64>).sum::<std::result::Result<u64, _>>()?;
    }
    // A tick is a hundredth of a second on every Linux.
    Ok(Duration::from_millis(ticks * 10))
}

async fn compare(rounds: u64, time: Duration) -> Result<()> {
    let orders = [Process::start(&["order"])?, Process::start(&["order"])?];
    for Process(_, address) in &orders {
        load::run(*address, &post_orders(), 201, Until::Sent(ITEMS)).await?;
    }
    let of = |orders: &[Process]| {
        orders.iter().map(|Process(_, address)| format!("http://{address}")).collect::<Vec<_>>().join(",")
    };
    let gateways =
        [Process::start(&["gateway", &of(&orders[..1])])?, Process::start(&["gateway", &of(&orders)])?];
    let all: Vec<_> = orders.iter().chain(&gateways).collect();
    let mut out = std::io::stdout();
    let mut ratios: [Vec<f64>; 4] = Default::default();
    for round in 1..=rounds {
        let without = load_one(orders[0].1, &all, time).await?;
        write!(out, "round {round}: without {without}")?;
        for (at, (Process(_, address), replicas)) in gateways.iter().zip(["one", "two"]).enumerate() {
            let through = load_one(*address, &all, time).await?;
            write!(out, "; through, {replicas} behind: {through}")?;
            ratios[at * 2].push(through.per_second / without.per_second);
            ratios[at * 2 + 1].push(without.cost / through.cost);
        }
        writeln!(out)?;
    }
    let [one, one_cost, two, two_cost] = ratios.map(median);
    writeln!(out, "medians of the ratios, in requests a second (in processor time of a request)")?;
    writeln!(out, "one replica {one:.2} ({one_cost:.2}), two replicas {two:.2} ({two_cost:.2})")?;
    Ok(())
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0}/s p99 {:.1} ms {:.0} µs", self.per_second, self.p99, self.cost)
    }
}

fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_unstable_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}
