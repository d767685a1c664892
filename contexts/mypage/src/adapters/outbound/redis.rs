//! The view in Redis, for many processes.
//!
//! Every row is one value, an index of all order ids and one of each customer's are sorted sets. Several replicas write
//! at once, so a row is merged here, by [`Row::merged`], and written only where it is still as it was read; who was
//! slower merges again.
//!
//! Redis may lose what it has, or the last of it, or single keys for want of memory, while the topic's group has gone
//! on. So the view says in which run of the server it was completed, and how many keys that one had thrown away by
//! then, and [`RedisView::keep_complete`] builds it again wherever either is another one. Until it is there nothing is
//! shown; one whose server was only restarted, or has thrown something away, goes on answering meanwhile.
//!
//! One primary server: the scripts name keys that they compute, which a cluster does not allow.

mod connections;
mod generations;
mod reads;
mod rebuilding;
mod stored;

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BinaryHeap},
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use platform_secret::Password;
use redis::{Cmd, Script};
use tokio::sync::Semaphore;

use crate::{
    projection::{OrderFact, Row},
    query::{Page, PageError, PageQuery, Rebuild, Sort, SortField, Unavailable, View, compare},
};
use connections::Connections;
use generations::{Generation, Keys, Live};
use reads::Reads;
use stored::{decode, encode};

/// How to reach Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisSettings {
    /// Name or address of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Number of the database.
    pub database: u16,
    /// Who we are, where the server asks.
    pub user: Option<String>,
    /// What proves it.
    pub password: Password,
    /// Whether the way there is encrypted.
    pub tls: Tls,
    /// What all keys begin with. Not empty: what begins with nothing is everybody's.
    pub prefix: String,
    /// How long connecting may take, and an answer.
    pub answer_within: Duration,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 6379,
            database: 0,
            user: None,
            password: Password::None,
            tls: Tls::Disabled,
            prefix: "rentalbook:".to_owned(),
            answer_within: Duration::from_secs(1),
        }
    }
}

/// Whether the way to the server is encrypted. There is one way yet; another one gets its variant here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tls {
    /// It is not: for a network that only we can see.
    #[default]
    Disabled,
}

/// The view. Clones share its connections.
#[derive(Clone)]
pub struct RedisView(Arc<Shared>);

struct Shared {
    connections: Connections,
    keys: Keys,
    /// The live generation as it was seen last: a read asks whether it still is.
    live: Mutex<Option<Generation>>,
    /// Where reads of single rows gather.
    reads: Reads,
    /// Pages that read all rows, at once.
    long_reads: Semaphore,
}

/// Rows written by one run of the script: nobody else is answered meanwhile.
const ROWS_AT_ONCE: usize = 128;

/// Rows read at once.
const READ_AT_ONCE: u32 = 1_000;

/// Pages at once that read all rows.
const LONG_READS: usize = 2;

impl RedisView {
    /// The view; the server need not be there. Until it is, everything is [`Unavailable`].
    #[must_use]
    pub fn new(settings: RedisSettings) -> Self {
        Self(Arc::new(Shared {
            keys: Keys::new(&settings.prefix),
            connections: Connections::new(settings),
            live: Mutex::default(),
            reads: Reads::new(),
            long_reads: Semaphore::new(LONG_READS),
        }))
    }

    fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// One command.
    async fn command<T: redis::FromRedisValue>(&self, command: &Cmd) -> Result<T, Unavailable> {
        self.0.connections.ask(async |mut connection| command.query_async(&mut connection).await).await
    }

    /// The live generation and the next one, where there are such.
    async fn generations(&self) -> Result<(Option<Live>, Option<Generation>), Unavailable> {
        let (live, next): (Option<String>, Option<u64>) =
            self.command(redis::cmd("MGET").arg(self.keys().live()).arg(self.keys().next())).await?;
        Ok((live.as_deref().and_then(Live::parse), next.map(Generation)))
    }

    /// A part of the live view by one of its indexes, and how many there are in all.
    async fn part(&self, index: &str, how: &[&str]) -> Result<Page, Unavailable> {
        let script = script(&PART, include_str!("redis/part.lua"));
        let mut invocation = script.key(self.keys().live());
        invocation.arg(self.keys().prefix()).arg(index).arg(how);
        let part: Option<(u64, Vec<i64>, Vec<Vec<u8>>)> = self
            .0
            .connections
            .ask(async |mut connection| invocation.invoke_async(&mut connection).await)
            .await?;
        let (total, order_ids, rows) = part.ok_or_else(not_built)?;
        let rows = order_ids.into_iter().zip(rows).map(|(order_id, row)| decode(order_id, &row));
        Ok((rows.collect::<Result<_, _>>()?, total))
    }

    /// A part of an index by its places.
    async fn by_place(
        &self,
        index: &str,
        offset: u64,
        limit: u32,
        descending: bool,
    ) -> Result<Page, Unavailable> {
        // The last place, not one beyond it; before the first one there is nothing.
        let last = offset.saturating_add(u64::from(limit));
        let (first, last) = match last.checked_sub(1) {
            Some(last) if limit > 0 => (offset.min(FAR), last.min(FAR)),
            _ => (1, 0),
        };
        let backwards = if descending { "1" } else { "0" };
        self.part(index, &["rank", &first.to_string(), &last.to_string(), backwards]).await
    }

    /// Merges `facts` into the rows of one generation. `false`: nobody needs it any more, or not yet.
    async fn merge(
        &self,
        generation: Generation,
        facts: &[OrderFact],
        lives_on: Option<Duration>,
    ) -> Result<bool, Unavailable> {
        let mut waiting = BTreeMap::<_, Vec<_>>::new();
        for fact in facts {
            waiting.entry(fact.order_id).or_default().push(fact.clone());
        }
        while !waiting.is_empty() {
            let orders: Vec<_> = waiting.iter().map(|(order_id, facts)| (*order_id, &facts[..])).collect();
            let writing =
                orders.chunks(ROWS_AT_ONCE).map(|orders| self.merge_some(generation, orders, lives_on));
            let mut changed = Vec::new();
            for part in try_join_all(writing).await? {
                match part {
                    Some(part) => changed.extend(part),
                    None => return Ok(false),
                }
            }
            waiting.retain(|order_id, _| changed.contains(order_id));
        }
        Ok(true)
    }

    /// The order ids of rows that somebody else has changed meanwhile; `None` where nobody needs this generation.
    async fn merge_some(
        &self,
        generation: Generation,
        orders: &[(i64, &[OrderFact])],
        lives_on: Option<Duration>,
    ) -> Result<Option<Vec<i64>>, Unavailable> {
        let mut reading = redis::cmd("MGET");
        for (order_id, _) in orders {
            reading.arg(self.keys().row(generation, *order_id));
        }
        let read: Vec<Option<Vec<u8>>> = self.command(&reading).await?;
        let script = script(&MERGE, include_str!("redis/merge.lua"));
        let mut writing = script.key(self.keys().live());
        writing.key(self.keys().next()).arg(generation.0).arg(self.keys().base(generation));
        writing.arg(lives_on.map_or_else(String::new, |time| time.as_millis().to_string()));
        for ((order_id, facts), read) in orders.iter().zip(read) {
            let before = read.as_deref().map(|row| decode(*order_id, row)).transpose()?;
            let customer = before.as_ref().and_then(Row::customer).unwrap_or_default().to_owned();
            let Some((row, true)) = Row::merged(before, facts) else { continue };
            writing.arg(*order_id).arg(read.unwrap_or_default()).arg(encode(&row));
            writing.arg(customer).arg(row.customer().unwrap_or_default());
        }
        // Asked even where nothing is new: whether the generation is still needed.
        self.0.connections.ask(async |mut connection| writing.invoke_async(&mut connection).await).await
    }

    /// All rows, the first of them as `sort` says, at most `keep` of those.
    async fn sorted(&self, sort: &[Sort], keep: usize) -> Result<(Vec<Row>, u64), Unavailable> {
        let (mut first, mut after, mut n) = (BinaryHeap::new(), None, 0);
        loop {
            let rows = self.scan(after, READ_AT_ONCE).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.order_id());
            n += rows.len() as u64;
            for row in rows {
                first.push(Candidate { row, sort });
                if first.len() > keep {
                    first.pop();
                }
            }
        }
        Ok((first.into_sorted_vec().into_iter().map(|candidate| candidate.row).collect(), n))
    }
}

/// No index has so many places.
const FAR: u64 = i64::MAX as u64;

static MERGE: OnceLock<Script> = OnceLock::new();
static PART: OnceLock<Script> = OnceLock::new();
static FINISH: OnceLock<Script> = OnceLock::new();

fn script(once: &'static OnceLock<Script>, code: &str) -> &'static Script {
    once.get_or_init(|| Script::new(code))
}

fn not_built() -> Unavailable {
    Unavailable("it is being built".to_owned())
}

/// The index of all orders.
const ALL: &str = "ids";

#[async_trait]
impl View for RedisView {
    /// A fact goes to the live generation and to the one that is being built, whichever there are. A generation that
    /// begins while this is under way is built from a topic that has these facts already: they were read from there.
    async fn apply(&self, facts: Vec<OrderFact>) -> Result<(), Unavailable> {
        if facts.is_empty() {
            return Ok(());
        }
        loop {
            let (live, next) = self.generations().await?;
            let generations: Vec<_> = live.map(|live| live.generation).into_iter().chain(next).collect();
            if generations.is_empty() {
                return Err(not_built());
            }
            let mut all_were_needed = true;
            for generation in generations {
                all_were_needed &= self.merge(generation, &facts, None).await?;
            }
            if all_were_needed {
                return Ok(());
            }
        }
    }

    /// Redis says what is durable: with `appendfsync always` everything is, with its default all but the last second.
    /// What it loses is built again.
    async fn settle(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    async fn get(&self, order_id: i64) -> Result<Option<Row>, Unavailable> {
        self.row(order_id).await
    }

    async fn page(&self, query: PageQuery) -> Result<Page, PageError> {
        let PageQuery { offset, limit, sort } = query;
        match sort.first() {
            None => Ok(self.by_place(ALL, offset, limit, false).await?),
            Some((SortField::OrderId, descending)) => {
                Ok(self.by_place(ALL, offset, limit, *descending).await?)
            }
            Some(_) => {
                let _turn = self.0.long_reads.try_acquire().map_err(|_| PageError::TooMany)?;
                let keep = usize::try_from(offset.saturating_add(u64::from(limit))).unwrap_or(usize::MAX);
                let (rows, total) = self.sorted(&sort, keep).await?;
                let skip = usize::try_from(offset).unwrap_or(usize::MAX);
                Ok((rows.into_iter().skip(skip).collect(), total))
            }
        }
    }

    async fn find_by_customer(&self, customer: &str, offset: u64, limit: u32) -> Result<Page, PageError> {
        Ok(self.by_place(&format!("of:{customer}"), offset, limit, true).await?)
    }

    async fn scan(&self, after_order_id: Option<i64>, limit: u32) -> Result<Vec<Row>, Unavailable> {
        let after = after_order_id.map_or_else(|| "-inf".to_owned(), |after| format!("({after}"));
        Ok(self.part(ALL, &["after", &after, &limit.to_string()]).await?.0)
    }

    async fn total(&self) -> Result<u64, Unavailable> {
        Ok(self.by_place(ALL, 0, 0, false).await?.1)
    }

    async fn ready(&self) -> Result<(), Unavailable> {
        self.generations().await?.0.map(drop).ok_or_else(not_built)
    }

    async fn is_complete(&self) -> Result<bool, Unavailable> {
        Ok(self.look().await?.0)
    }

    async fn mark_complete(&self) -> Result<(), Unavailable> {
        let generation = match self.generations().await?.0 {
            Some(live) => live.generation,
            None => self.new_generation().await?,
        };
        let live = Live { generation, run: self.run().await? };
        self.command(redis::cmd("SET").arg(self.keys().live()).arg(live.text())).await
    }

    async fn begin_rebuild(&self) -> Result<Box<dyn Rebuild>, Unavailable> {
        self.begin().await
    }
}

/// A row that compares as `sort` says.
struct Candidate<'a> {
    row: Row,
    sort: &'a [Sort],
}

impl Ord for Candidate<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.sort, &self.row, &other.row)
    }
}

impl PartialOrd for Candidate<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate<'_> {}
