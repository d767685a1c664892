//! A new generation beside the live one, and the watch over whether one is needed.

use std::time::Duration;

use async_trait::async_trait;
use platform_event_bus::EventBus;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::{FINISH, Generation, Live, RedisView, script};
use crate::{
    projection::OrderFact,
    query::{Rebuild, Unavailable},
    rebuild::rebuild,
};

/// A generation that nobody has gone on building for so long is given up, and another replica may begin anew.
const ABANDONED_AFTER: Duration = Duration::from_secs(30);

/// How often it is looked whether the view is complete.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Keys looked through, and deleted, at once.
const KEYS_AT_ONCE: usize = 1_000;

impl RedisView {
    /// Builds the view from `topic` wherever it is missing, or the server may have lost some of it: at the first start,
    /// when it was emptied, when it was started again, when it has thrown keys away. One replica at a time does so.
    /// Never returns.
    pub async fn keep_complete(&self, bus: &dyn EventBus, topic: &str) {
        let (mut is_told, mut is_warned) = (false, false);
        loop {
            let look = self.look().await;
            if let Ok((_, evicts)) = &look {
                warn_of(evicts.as_deref(), &mut is_warned);
            }
            match look {
                Ok((true, _)) => is_told = false,
                Ok((false, _)) => match rebuild(self, bus, topic).await {
                    Ok(_) => is_told = false,
                    Err(reason) => {
                        if !std::mem::replace(&mut is_told, true) {
                            info!(%reason, "the view is not complete, and is not built here now");
                        }
                    }
                },
                Err(reason) => {
                    if !std::mem::replace(&mut is_told, true) {
                        warn!(%reason, "the view waits for Redis");
                    }
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// By the server's time: a number that is counted would be given again by a server that was emptied, to somebody
    /// who builds another view.
    pub(super) async fn new_generation(&self) -> Result<Generation, Unavailable> {
        let (seconds, micros): (u64, u64) = self.command(&redis::cmd("TIME")).await?;
        Ok(Generation(seconds * 1_000_000 + micros))
    }

    /// Whether the live view is complete, and by which policy the server throws keys away, if it may.
    pub(super) async fn look(&self) -> Result<(bool, Option<String>), Unavailable> {
        let (live, _) = self.generations().await?;
        let Server { run, evicts } = self.server().await?;
        Ok((live.is_some_and(|live| live.run == run), evicts))
    }

    /// Which run of the server this is, and how much of it is whole.
    pub(super) async fn run(&self) -> Result<String, Unavailable> {
        Ok(self.server().await?.run)
    }

    async fn server(&self) -> Result<Server, Unavailable> {
        // Without naming what is wanted: before version 7 only one part can be named.
        let about: String = self.command(&redis::cmd("INFO")).await?;
        Server::read(&about)
            .ok_or_else(|| Unavailable("Redis does not say its run_id and its evicted_keys".to_owned()))
    }

    pub(super) async fn begin(&self) -> Result<Box<dyn Rebuild>, Unavailable> {
        // Before anything is written: what a server loses from here on, started again or short of memory, is noticed.
        let run = self.run().await?;
        let generation = self.new_generation().await?;
        let mut begin = redis::cmd("SET");
        begin.arg(self.keys().next()).arg(generation.0);
        begin.arg("NX").arg("PX").arg(u64::try_from(ABANDONED_AFTER.as_millis()).unwrap_or(u64::MAX));
        let begun: Option<String> = self.command(&begin).await?;
        if begun.is_none() {
            return Err(Unavailable("somebody else is building it".to_owned()));
        }
        Ok(Box::new(Building { view: self.clone(), generation, run, is_over: false }))
    }

    /// Deletes what belongs to no generation that is needed.
    async fn remove_leftovers(&self) -> Result<(), Unavailable> {
        let mut cursor = 0_u64;
        loop {
            let mut look = redis::cmd("SCAN");
            look.arg(cursor).arg("MATCH").arg(format!("{}*", self.keys().prefix()));
            look.arg("COUNT").arg(KEYS_AT_ONCE);
            let (next_cursor, keys): (u64, Vec<String>) = self.command(&look).await?;
            // Asked for after the keys were found: a generation that was begun since has none of them.
            let (live, next) = self.generations().await?;
            let needed: Vec<_> = live.map(|live| live.generation).into_iter().chain(next).collect();
            let is_leftover = |key: &&String| {
                self.keys().generation_of(key).is_some_and(|generation| !needed.contains(&generation))
            };
            let leftovers: Vec<_> = keys.iter().filter(is_leftover).collect();
            if !leftovers.is_empty() {
                let _: u64 = self.command(redis::cmd("UNLINK").arg(&leftovers)).await?;
            }
            cursor = next_cursor;
            if cursor == 0 {
                return Ok(());
            }
        }
    }

    fn remove_leftovers_soon(&self) {
        let view = self.clone();
        tokio::spawn(async move {
            if let Err(reason) = view.remove_leftovers().await {
                warn!(%reason, "keys of an old view stay behind until the view is built again");
            }
        });
    }
}

/// What the server says about itself.
#[derive(Debug, PartialEq, Eq)]
struct Server {
    /// Another one: something may be lost that was written before. It has what a server calls its `run_id`, and the
    /// number of keys that it has thrown away since, for want of memory: they may have been ours.
    run: String,
    /// By which policy it throws keys away when its memory is full; `None` where it refuses to write instead.
    evicts: Option<String>,
}

impl Server {
    /// From its answer to `INFO`.
    fn read(about: &str) -> Option<Self> {
        let says = |name: &str| about.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let says = |name| says(name).map(str::trim);
        let run = format!("{}+{}", says("run_id")?, says("evicted_keys")?);
        let is_limited = says("maxmemory").is_some_and(|bytes| bytes != "0");
        let policy = says("maxmemory_policy").filter(|policy| is_limited && *policy != "noeviction");
        Some(Self { run, evicts: policy.map(str::to_owned) })
    }
}

/// Says it once, as long as it is so.
fn warn_of(evicts: Option<&str>, is_warned: &mut bool) {
    let Some(policy) = evicts else {
        *is_warned = false;
        return;
    };
    if !std::mem::replace(is_warned, true) {
        error!(
            policy,
            "Redis throws keys away when its memory is full, and then the whole view is built again: \
             it should have maxmemory-policy noeviction"
        );
    }
}

/// The next generation.
struct Building {
    view: RedisView,
    generation: Generation,
    run: String,
    is_over: bool,
}

#[async_trait]
impl Rebuild for Building {
    async fn apply(&mut self, facts: Vec<OrderFact>) -> Result<(), Unavailable> {
        match self.view.merge(self.generation, &facts, Some(ABANDONED_AFTER)).await? {
            true => Ok(()),
            false => Err(lost()),
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<(), Unavailable> {
        if self.view.run().await? != self.run {
            return Err(lost());
        }
        let live = Live { generation: self.generation, run: self.run.clone() };
        let script = script(&FINISH, include_str!("finish.lua"));
        let mut finishing = script.key(self.view.keys().live());
        finishing.key(self.view.keys().next()).arg(self.generation.0).arg(live.text());
        let connections = &self.view.0.connections;
        let finished: u8 =
            connections.ask(async |mut connection| finishing.invoke_async(&mut connection).await).await?;
        if finished == 0 {
            return Err(lost());
        }
        self.is_over = true;
        self.view.remove_leftovers_soon();
        Ok(())
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // Else it would have to be waited for until it expires. Only where it is still ours, and as well as can be.
        let (view, generation) = (self.view.clone(), self.generation);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if view.generations().await.is_ok_and(|(_, next)| next == Some(generation)) {
                let _: Result<u64, _> = view.command(redis::cmd("DEL").arg(view.keys().next())).await;
            }
            view.remove_leftovers_soon();
        });
    }
}

fn lost() -> Unavailable {
    Unavailable("Redis has lost what was built of it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::Server;

    fn read(evicted: u64, maxmemory: u64, policy: &str) -> Server {
        let about = format!(
            "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n# Memory\r\nmaxmemory:{maxmemory}\r\n\
             maxmemory_human:1M\r\nmaxmemory_policy:{policy}\r\n# Stats\r\nevicted_keys:{evicted}\r\n"
        );
        Server::read(&about).expect("it says enough")
    }

    #[test]
    fn a_server_that_has_thrown_a_key_away_is_not_the_one_it_was() {
        assert_eq!(read(0, 0, "noeviction").run, read(0, 1_000, "allkeys-lru").run);
        assert_ne!(read(0, 0, "noeviction").run, read(1, 0, "noeviction").run);
        assert_eq!(Server::read("run_id:abc\r\n"), None, "nobody knows");
    }

    #[test]
    fn only_a_server_with_a_limit_and_a_policy_throws_keys_away() {
        assert_eq!(read(0, 0, "allkeys-lru").evicts, None);
        assert_eq!(read(0, 1_000, "noeviction").evicts, None);
        assert_eq!(read(0, 1_000, "allkeys-lru").evicts.as_deref(), Some("allkeys-lru"));
    }
}
