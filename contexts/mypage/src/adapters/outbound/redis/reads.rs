//! Reads of single rows, gathered: those that are asked for at about the same time are one command, which costs the server
//! and us a fraction.

use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{Generation, Live, RedisView, Shared, not_built, stored::decode};
use crate::{projection::Row, query::Unavailable};

/// Most rows of one command.
const MOST: usize = 128;

/// The next command is sent when the last one is answered, or after this: one that takes long holds up nobody else.
const HOLD_UP: Duration = Duration::from_millis(2);

/// A row that somebody waits for.
pub(super) struct Read {
    order_id: i64,
    reply: oneshot::Sender<Found>,
}

/// The row as it is stored.
type Found = Result<Option<Vec<u8>>, Unavailable>;

/// Where reads gather, from the first one on.
pub(super) type Reads = OnceLock<mpsc::UnboundedSender<Read>>;

impl RedisView {
    /// What the live generation has of an order.
    pub(super) async fn row(&self, order_id: i64) -> Result<Option<Row>, Unavailable> {
        let reads = self.0.reads.get_or_init(|| {
            let (reads, waiting) = mpsc::unbounded_channel();
            tokio::spawn(gather(Arc::downgrade(&self.0), waiting));
            reads
        });
        let (reply, answer) = oneshot::channel();
        let ended = || Unavailable("reading has ended".to_owned());
        reads.send(Read { order_id, reply }).map_err(|_| ended())?;
        let row = answer.await.map_err(|_| ended())??;
        row.map(|row| decode(order_id, &row)).transpose()
    }

    /// The rows of the live generation; asked together with which one that is.
    async fn rows(
        &self,
        reads: &[Read],
    ) -> Result<impl Iterator<Item = Option<Vec<u8>>> + use<>, Unavailable> {
        let mut generation = *self.0.live.lock();
        loop {
            let mut get = redis::cmd("MGET");
            get.arg(self.keys().live());
            for read in reads {
                get.arg(self.keys().row(generation.unwrap_or(Generation(0)), read.order_id));
            }
            let mut found = self.command::<Vec<Option<Vec<u8>>>>(&get).await?.into_iter();
            let live = found.next().flatten().and_then(|live| Live::parse(std::str::from_utf8(&live).ok()?));
            let live = live.ok_or_else(not_built)?.generation;
            if generation == Some(live) {
                return Ok(found);
            }
            generation = Some(live);
            *self.0.live.lock() = generation;
        }
    }

    async fn answer(&self, reads: Vec<Read>) {
        match self.rows(&reads).await {
            Ok(rows) => reads.into_iter().zip(rows).for_each(|(read, row)| drop(read.reply.send(Ok(row)))),
            Err(error) => reads.into_iter().for_each(|read| drop(read.reply.send(Err(error.clone())))),
        }
    }
}

/// Until the view is gone.
async fn gather(view: Weak<Shared>, mut waiting: mpsc::UnboundedReceiver<Read>) {
    let mut reads = Vec::new();
    while waiting.recv_many(&mut reads, MOST).await > 0 {
        let Some(view) = view.upgrade().map(RedisView) else { return };
        let together = std::mem::take(&mut reads);
        let answering = tokio::spawn(async move { view.answer(together).await });
        // Whether it has ended does not matter; it goes on by itself.
        let _ = timeout(HOLD_UP, answering).await;
    }
}
