//! What is measured of each service, for both wirings: names and meanings are in `docs/operations.md`.

use std::{future::ready, sync::Arc};

use order::application::ports::OrderStore;
use platform_event_bus::{Consumed, EventBus};
use platform_http::Requests;
use platform_outbox::Outbox;
use platform_resilience::{Calls, Guard};
use platform_telemetry::{Meter, Meters};

const REQUESTS: Meter = Meter {
    name: "rentalbook_http_requests_total",
    help: "Requests that were answered, by the class of their status.",
};

const UNAVAILABLE: Meter = Meter {
    name: "rentalbook_http_unavailable_total",
    help: "Answers with 503: refused at once because too many others were being served, or for another reason.",
};

const IN_FLIGHT: Meter =
    Meter { name: "rentalbook_http_in_flight_requests", help: "Requests that are being served." };

const COMMITS: Meter =
    Meter { name: "rentalbook_store_commits_total", help: "Transactions on the service's own store." };

const WRITES: Meter = Meter {
    name: "rentalbook_store_writes_total",
    help: "Writes in these transactions; divided by their number, how many share one.",
};

const OUTBOX_ROWS: Meter =
    Meter { name: "rentalbook_outbox_rows", help: "Events that are committed and not published yet." };

const OUTBOX_AGE: Meter = Meter {
    name: "rentalbook_outbox_oldest_seconds",
    help: "How long the oldest of them has waited; 0 where none waits.",
};

const LAG: Meter =
    Meter { name: "rentalbook_consumer_lag_records", help: "Records that the group has not committed." };

const READING: Meter = Meter {
    name: "rentalbook_consumer_partitions",
    help: "Partitions that the group has given to this process.",
};

const CONSUMED: Meter =
    Meter { name: "rentalbook_consumer_records_total", help: "Records that this process has handled." };

const DEAD_LETTERS: Meter = Meter {
    name: "rentalbook_dead_letters_total",
    help: "Records that this process has set aside because they can never succeed.",
};

const PENDING: Meter =
    Meter { name: "rentalbook_orders_pending", help: "Orders that wait for rent to confirm them." };

const WRITE_LIMIT: Meter = Meter {
    name: "rentalbook_http_write_limit_requests",
    help: "Writes that are served at once at most now; it follows from how long the store takes.",
};

const BREAKER: Meter = Meter {
    name: "rentalbook_rent_breaker_state",
    help: "0: rent is asked; 1: it is not, because too many questions failed; 2: a few show whether it is back.",
};

const CALLS: Meter = Meter {
    name: "rentalbook_rent_calls_total",
    help: "Questions to rent, by how they ended, or were not asked.",
};

/// What the service has answered, and how many it is answering.
pub fn of_requests(
    meters: &Meters,
    requests: &Arc<Requests>,
    in_flight: impl Fn() -> usize + Send + Sync + 'static,
) {
    for (class, label) in [(2, "2xx"), (3, "3xx"), (4, "4xx"), (5, "5xx")] {
        let requests = Arc::clone(requests);
        meters.counter(REQUESTS, &[("status", label)], move || requests.of_class(class));
    }
    let read = Arc::clone(requests);
    meters.counter(UNAVAILABLE, &[("reason", "overload")], move || read.overload());
    let read = Arc::clone(requests);
    meters.counter(UNAVAILABLE, &[("reason", "other")], move || read.unavailable());
    meters.gauge(IN_FLIGHT, &[], move || ready(Some(in_flight() as f64)));
}

/// How many writes it takes on at once.
pub fn of_pressure(meters: &Meters, limit: impl Fn() -> usize + Send + Sync + 'static) {
    meters.gauge(WRITE_LIMIT, &[], move || ready(Some(limit() as f64)));
}

/// How much was written: transactions, and writes in them.
pub fn of_commits(meters: &Meters, commits: impl Fn() -> (u64, u64) + Clone + Send + Sync + 'static) {
    let read = commits.clone();
    meters.counter(COMMITS, &[], move || read().0);
    meters.counter(WRITES, &[], move || commits().1);
}

/// What waits to be published. The age only where the store knows it, as PostgreSQL does.
pub fn of_outbox(meters: &Meters, outbox: &Arc<dyn Outbox>, knows_age: bool) {
    let read = Arc::clone(outbox);
    meters.gauge(OUTBOX_ROWS, &[], move || {
        let outbox = Arc::clone(&read);
        async move { outbox.backlog().await.ok().map(|rows| rows as f64) }
    });
    if knows_age {
        let read = Arc::clone(outbox);
        meters.gauge(OUTBOX_AGE, &[], move || {
            let outbox = Arc::clone(&read);
            async move { outbox.oldest().await.ok().map(|age| age.unwrap_or_default().as_secs_f64()) }
        });
    }
}

/// How far a group is, and what this process has done for it.
pub fn of_group(
    meters: &Meters,
    bus: &Arc<dyn EventBus>,
    topic: &str,
    group: &str,
    consumed: &Arc<Consumed>,
) {
    let labels = &[("group", group)];
    let (bus, topic, of_group) = (Arc::clone(bus), topic.to_owned(), group.to_owned());
    meters.gauge(LAG, labels, move || {
        let (bus, topic, group) = (Arc::clone(&bus), topic.clone(), of_group.clone());
        async move { bus.lag(&topic, &group).await.ok().map(|records| records as f64) }
    });
    let read = Arc::clone(consumed);
    meters.counter(CONSUMED, labels, move || read.records());
    let read = Arc::clone(consumed);
    meters.counter(DEAD_LETTERS, labels, move || read.dead_letters());
}

/// What of the topic this process reads for its group.
pub fn of_partitions(meters: &Meters, group: &str, reading: impl Fn() -> usize + Send + Sync + 'static) {
    meters.gauge(READING, &[("group", group)], move || ready(Some(reading() as f64)));
}

/// What waits for rent, and whether rent is asked.
pub fn of_orders(meters: &Meters, store: Arc<dyn OrderStore>, guard: Guard) {
    meters.gauge(PENDING, &[], move || ready(Some(store.pending() as f64)));
    let read = guard.clone();
    meters.gauge(BREAKER, &[], move || ready(Some(f64::from(read.breaker().state as u8))));
    let ended = |how, count: fn(Calls) -> u64| {
        let read = guard.clone();
        meters.counter(CALLS, &[("ended", how)], move || count(read.calls()));
    };
    ended("well", |calls| calls.well);
    ended("slow", |calls| calls.slow);
    ended("failed", |calls| calls.failed);
    ended("late", |calls| calls.late);
    ended("open", |calls| calls.open);
    ended("full", |calls| calls.full);
}
