//! Processes that run, and die at any step.

use std::sync::Arc;

use delivery::application::Deliveries;
use mypage::query::View;
use order::application::Orders;
use parking_lot::Mutex;
use platform_outbox::Outbox;
use rent::application::Rents;
use tokio::task::{AbortHandle, JoinHandle, yield_now};

use super::{
    fate::{Life, Who, at_once},
    stores::Kept,
};

/// A process that runs. Clones are the same.
pub(super) struct Up<T> {
    /// Its use cases.
    pub(super) does: T,
    pub(super) life: Life,
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
    files: Arc<dyn Files>,
}

/// What a process has open.
pub(super) trait Files: Send + Sync {
    fn close(&self);

    /// Whether something is still to be done with what they hold.
    fn wait(&self) -> bool;
}

/// A store, its outbox, and how much of it is not done.
pub(super) struct StoreFiles<T: ?Sized> {
    pub(super) store: Kept<T>,
    pub(super) outbox: Kept<dyn Outbox>,
    pub(super) pending: fn(&T) -> u64,
}

impl<T: ?Sized + Send + Sync> Files for StoreFiles<T> {
    fn close(&self) {
        self.store.close();
        self.outbox.close();
    }

    fn wait(&self) -> bool {
        let outbox = self.outbox.get();
        (self.pending)(&self.store.get()) > 0
            || at_once(async move { outbox.backlog().await }).is_ok_and(|rows| rows > 0)
    }
}

impl Files for Kept<dyn View> {
    fn close(&self) {
        Kept::close(self);
    }

    fn wait(&self) -> bool {
        false
    }
}

impl<T: Clone> Clone for Up<T> {
    fn clone(&self) -> Self {
        let Self { does, life, tasks, files } = self;
        Self { does: does.clone(), life: life.clone(), tasks: Arc::clone(tasks), files: Arc::clone(files) }
    }
}

impl<T> Up<T> {
    pub(super) fn new(does: T, life: Life, files: impl Files + 'static) -> Self {
        Self { does, life, tasks: Arc::default(), files: Arc::new(files) }
    }

    /// What is answered; `None` where it dies before that.
    pub(super) async fn ask<R: Send + 'static>(
        &self,
        work: impl Future<Output = R> + Send + 'static,
    ) -> Option<R> {
        match self.run(work).await {
            Ok(answer) => Some(answer),
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            Err(_died) => None,
        }
    }

    /// Does it in the process: it is dropped when that dies.
    pub(super) fn run<R: Send + 'static>(
        &self,
        work: impl Future<Output = R> + Send + 'static,
    ) -> JoinHandle<R> {
        let running = tokio::spawn(work);
        let mut tasks = self.tasks.lock();
        tasks.retain(|task| !task.is_finished());
        tasks.push(running.abort_handle());
        running
    }

    async fn kill(self) {
        self.life.end();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.iter().for_each(AbortHandle::abort);
        while !tasks.iter().all(AbortHandle::is_finished) {
            yield_now().await;
        }
        self.files.close();
    }
}

/// Who runs.
#[derive(Default)]
pub(super) struct Running {
    pub(super) order: Option<Up<Orders>>,
    pub(super) rent: Option<Up<Rents>>,
    pub(super) delivery: Option<Up<Deliveries>>,
    pub(super) mypage: Option<Up<()>>,
}

impl Running {
    /// Whether all of them run, and no order waits and nothing that was said.
    pub(super) fn is_done(&self) -> bool {
        let Self { order, rent, delivery, mypage } = self;
        let files = [
            order.as_ref().map(|up| &up.files),
            rent.as_ref().map(|up| &up.files),
            delivery.as_ref().map(|up| &up.files),
            mypage.as_ref().map(|up| &up.files),
        ];
        files.iter().all(|files| files.is_some_and(|files| !files.wait()))
    }
}

/// It dies, whatever it was doing.
pub(super) async fn kill(running: &Mutex<Running>, who: Who) {
    match who {
        Who::Order => kill_one(|running| running.order.take(), running).await,
        Who::Rent => kill_one(|running| running.rent.take(), running).await,
        Who::Delivery => kill_one(|running| running.delivery.take(), running).await,
        Who::Mypage => kill_one(|running| running.mypage.take(), running).await,
    }
}

async fn kill_one<T>(take: impl FnOnce(&mut Running) -> Option<Up<T>>, running: &Mutex<Running>) {
    let up = take(&mut running.lock());
    if let Some(up) = up {
        up.kill().await;
    }
}
