//! Work that takes long, off the threads that answer: how much of it at once, and for how long.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

/// Why work was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// So much of it runs and waits that this was not even begun.
    #[error("too much of this work waits already")]
    Full,
    /// It panicked: a bug.
    #[error("it failed: {0}")]
    Failed(String),
}

/// Says to work on another thread whether anybody still waits for it. Clones say the same.
#[derive(Clone, Debug)]
pub struct Awaited(Arc<AtomicBool>);

impl Awaited {
    /// `false`: whoever asked has gone, and the work should end as soon as it can.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for Awaited {
    /// For work on the caller's own thread: it waits as long as that takes.
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

/// In the hands of who waits.
struct Waiter(Awaited);

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Relaxed);
    }
}

/// Runs `work` on a thread for blocking work. Where the caller goes away, `work` hears of it and should end.
///
/// # Errors
/// [`WorkError::Failed`] where it panicked.
pub async fn while_awaited<T, F>(work: F) -> Result<T, WorkError>
where
    F: FnOnce(&Awaited) -> T + Send + 'static,
    T: Send + 'static,
{
    let awaited = Awaited::default();
    let _waiter = Waiter(awaited.clone());
    spawn_blocking(move || work(&awaited)).await.map_err(|error| WorkError::Failed(error.to_string()))
}

/// Keeps work of one kind from taking more than its share. Clones share the places.
///
/// What comes waits for its turn, as long as its caller does. But only so much waits: where each place in the queue
/// is a request that is being served, a queue without an end would refuse every other request.
#[derive(Clone, Debug)]
pub struct Bulkhead {
    running: Arc<Semaphore>,
    /// Those that run, and those that wait.
    admitted: Arc<Semaphore>,
}

/// See [`Bulkhead::place`].
#[derive(Debug)]
pub struct Place {
    _permits: [OwnedSemaphorePermit; 2],
}

impl Bulkhead {
    /// At most `at_once` run, and at most `waiting` more wait.
    #[must_use]
    pub fn new(at_once: usize, waiting: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(at_once)),
            admitted: Arc::new(Semaphore::new(at_once + waiting)),
        }
    }

    /// Runs `work` as [`while_awaited`] does, when its turn has come. Its place is free when it has ended, and not
    /// when its caller has gone.
    ///
    /// # Errors
    /// [`WorkError::Full`] at once where too much waits already.
    pub async fn run<T, F>(&self, work: F) -> Result<T, WorkError>
    where
        F: FnOnce(&Awaited) -> T + Send + 'static,
        T: Send + 'static,
    {
        let place = self.enter().await?;
        while_awaited(move |awaited| {
            let _place = place;
            work(awaited)
        })
        .await
    }

    /// A place for work that runs elsewhere, such as on a server; it is free again when this is dropped.
    ///
    /// # Errors
    /// [`WorkError::Full`] at once where too much waits already.
    pub async fn place(&self) -> Result<Place, WorkError> {
        Ok(Place { _permits: self.enter().await? })
    }

    async fn enter(&self) -> Result<[OwnedSemaphorePermit; 2], WorkError> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| WorkError::Full)?;
        // Nobody closes it.
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| WorkError::Full)?;
        Ok([admitted, turn])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::{JoinHandle, yield_now};

    use super::*;

    /// Work that says that it has begun and then goes on until nobody waits for it.
    fn endless(bulkhead: &Bulkhead, begun: &mpsc::Sender<()>) -> JoinHandle<Result<(), WorkError>> {
        let (bulkhead, begun) = (bulkhead.clone(), begun.clone());
        let work = move |awaited: &Awaited| {
            begun.send(()).expect("the test listens");
            while awaited.is_awaited() {
                std::thread::yield_now();
            }
        };
        tokio::spawn(async move { bulkhead.run(work).await })
    }

    async fn until(reached: impl Fn() -> bool) {
        let waiting = async {
            while !reached() {
                yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), waiting).await.expect("it comes to that");
    }

    #[tokio::test]
    async fn two_run_one_waits_and_the_next_is_refused_at_once() {
        let (bulkhead, (begun, begins)) = (Bulkhead::new(2, 1), mpsc::channel());
        let running = [endless(&bulkhead, &begun), endless(&bulkhead, &begun)];
        until(|| bulkhead.running.available_permits() == 0).await;
        let waiting = endless(&bulkhead, &begun);
        until(|| bulkhead.admitted.available_permits() == 0).await;
        assert_eq!(bulkhead.run(|_| ()).await, Err(WorkError::Full));
        for _ in &running {
            begins.recv_timeout(std::time::Duration::from_secs(60)).expect("two run");
        }
        assert_eq!(begins.try_recv(), Err(mpsc::TryRecvError::Empty), "and no third");
        running[0].abort();
        until(|| begins.try_recv().is_ok()).await;
        running[1].abort();
        waiting.abort();
        until(|| bulkhead.admitted.available_permits() == 3).await;
        assert_eq!(bulkhead.run(|_| 7).await, Ok(7), "every place is free again");
    }

    #[tokio::test]
    async fn who_gives_up_in_the_queue_leaves_it() {
        let (bulkhead, (begun, begins)) = (Bulkhead::new(1, 1), mpsc::channel());
        let running = endless(&bulkhead, &begun);
        until(|| begins.try_recv().is_ok()).await;
        let waiting = endless(&bulkhead, &begun);
        until(|| bulkhead.admitted.available_permits() == 0).await;
        waiting.abort();
        until(|| bulkhead.admitted.available_permits() == 1).await;
        running.abort();
        until(|| bulkhead.admitted.available_permits() == 2).await;
        assert_eq!(begins.try_recv(), Err(mpsc::TryRecvError::Empty), "it has never begun");
    }

    #[tokio::test]
    async fn a_place_is_free_again_when_it_is_given_up() {
        let bulkhead = Bulkhead::new(1, 0);
        let place = bulkhead.place().await.expect("a place");
        assert!(matches!(bulkhead.place().await, Err(WorkError::Full)));
        drop(place);
        bulkhead.place().await.expect("it is free again");
    }

    #[tokio::test]
    async fn work_that_panics_is_told_as_a_failure_and_gives_its_place_back() {
        let bulkhead = Bulkhead::new(1, 0);
        let failed = bulkhead.run(|_| panic!("a bug")).await.map(|(): ()| ());
        assert!(matches!(failed, Err(WorkError::Failed(_))), "{failed:?}");
        assert_eq!(bulkhead.run(|_| 7).await, Ok(7));
    }
}
