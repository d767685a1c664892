//! A new generation beside the live one, and the watch over whether one is needed.

use std::time::Duration;

use async_trait::async_trait;
use platform_event_bus::EventBus;
use tokio::time::sleep;
use tracing::{info, warn};

use super::{FINISH, Generation, Live, RedisView, script};
use crate::{
    projection::OrderFact,
    query::{Rebuild, Unavailable, View as _},
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
    /// when it was emptied, when it was started again. One replica at a time does so. Never returns.
    pub async fn keep_complete(&self, bus: &dyn EventBus, topic: &str) {
        let mut is_told = false;
        loop {
            match self.is_complete().await {
                Ok(true) => is_told = false,
                Ok(false) => match rebuild(self, bus, topic).await {
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

    /// Which run of the server this is.
    pub(super) async fn run(&self) -> Result<String, Unavailable> {
        let about: String = self.command(redis::cmd("INFO").arg("server")).await?;
        let run = about.lines().find_map(|line| line.strip_prefix("run_id:"));
        run.map(|run| run.trim().to_owned())
            .ok_or_else(|| Unavailable("Redis does not say its run_id".to_owned()))
    }

    pub(super) async fn begin(&self) -> Result<Box<dyn Rebuild>, Unavailable> {
        // Before anything is written: what a server loses that is started again from here on is noticed.
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
