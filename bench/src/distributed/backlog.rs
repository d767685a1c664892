//! A replica of delivery that comes back to many records, against one insert a request on the same PostgreSQL.

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use contracts::{Event, EventKind, Timestamp, WireClock};
use platform_bus_kafka::KafkaBus;
use platform_event_bus::{EventBus as _, Headers, NewRecord};
use serde_json::Value;

use super::{Options, checked, insert::Inserting, site::Site};
use crate::{
    Result,
    figures::Figure,
    library::Process,
    load::{self, Client, Until, post_orders},
};

/// Where the replica listens.
const PORT: u16 = 28093;

/// Between two looks at how far it is.
const PAUSE: Duration = Duration::from_millis(10);

/// Longest time that it may take.
const GIVEN_UP: Duration = Duration::from_secs(120);

/// Records a second, round by round.
pub(super) async fn figure(options: &Options, site: &Site, insert: &Inserting) -> Result<Figure> {
    let bus = KafkaBus::new(site.kafka_settings());
    let mut rounds = Vec::new();
    for round in 0..options.rounds {
        println!("… a backlog of {} records, round {} of {}", options.backlog, round + 1, options.rounds);
        let until = Until::Elapsed(Duration::from_secs(options.seconds.div_ceil(2)));
        let bare = checked(load::run(insert.address, &post_orders(), 201, until).await?)?.per_second();
        let topic = site.kafka.topic();
        fill(&bus, &topic, options.backlog).await?;
        rounds.push((consume(site, &options.program, &topic, options.backlog).await?, bare));
    }
    bus.left().await;
    Ok(Figure::ratio(
        "records that a replica of delivery consumes / one INSERT a request",
        "records/s",
        &rounds,
        2.5,
        4.5,
    ))
}

/// Two records for each order, as rent and order say them.
async fn fill(bus: &KafkaBus, topic: &str, records: u64) -> Result<()> {
    let clock = WireClock::in_zone("UTC")?;
    let record = |order_id: i64, id: i64, kind: EventKind| {
        let event = Event {
            order_id,
            id,
            event_id: format!("{}-{order_id}", kind.event_type()),
            kind,
            version: Some(1),
            correlation_id: None,
            customer: None,
            occurred_at: Some(Timestamp(1_700_000_000_000 + order_id)),
        };
        NewRecord {
            key: Some(contracts::key(order_id)),
            headers: Headers::new(contracts::headers(&event)),
            value: event.encode(&clock),
        }
    };
    let orders: Vec<i64> = (1..=i64::try_from(records / 2)?).collect();
    for some in orders.chunks(2_000) {
        let both = some.iter().flat_map(|order| {
            let item = Some(format!("book {order}"));
            [record(*order, *order, EventKind::Rented), record(*order, *order, EventKind::Ordered { item })]
        });
        bus.publish(topic, both.collect()).await?;
    }
    Ok(())
}

/// Records a second by a replica on a database of its own, from the first parcel that it shows until the last.
async fn consume(site: &Site, program: &Path, topic: &str, records: u64) -> Result<f64> {
    let child = site
        .command(program, "delivery", PORT)
        .env("RENTALBOOK_KAFKA_TOPIC", topic)
        .env("RENTALBOOK_POSTGRES_DATABASE", site.postgres.database())
        .spawn()?;
    let _replica = Process::new(child);
    let (all, began) = (records / 2, Instant::now());
    let mut first = None;
    let mut client = None;
    while began.elapsed() < GIVEN_UP {
        tokio::time::sleep(PAUSE).await;
        let Some(parcels) = parcels(&mut client).await else { continue };
        match first {
            None if parcels > 0 => first = Some((Instant::now(), parcels)),
            Some((start, before)) if parcels >= all => {
                return Ok((2 * (parcels - before)) as f64 / start.elapsed().as_secs_f64());
            }
            _ => {}
        }
    }
    Err("delivery does not come to the end of its backlog".into())
}

/// How many parcels it has; nothing while it does not answer.
async fn parcels(client: &mut Option<Client>) -> Option<u64> {
    if client.is_none() {
        *client = Client::connect(SocketAddr::from(([127, 0, 0, 1], PORT))).await.ok();
    }
    let (status, body) = client.as_mut()?.get("/deliveries?size=1").await.ok()?;
    let page: Value = serde_json::from_str(&body).ok().filter(|_| status == 200)?;
    page["page"]["totalElements"].as_u64()
}
