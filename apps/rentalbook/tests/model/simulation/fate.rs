//! What goes wrong, and when: everything follows from the seed, because everything happens on one thread, in one order.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fmt::Display,
    future::pending,
    pin::pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use parking_lot::Mutex;
use proptest::{
    prelude::Rng as _,
    test_runner::{RngAlgorithm, TestRng},
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc,
    task::{unconstrained, yield_now},
    time::{Instant, sleep},
};

use super::Defect;

/// Where the real stores work.
static ENGINE: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime"));

/// Wakes a thread that waits.
struct Waiting(Thread);

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for what a real store or bus does, and lets nothing else happen meanwhile: one step of the simulation. (A runtime
/// does not block on anything within another one.)
pub(super) fn at_once<T>(work: impl Future<Output = T>) -> T {
    let _in_engine = ENGINE.enter();
    let (mut work, waker) = (pin!(unconstrained(work)), Waker::from(Arc::new(Waiting(thread::current()))));
    loop {
        match work.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

/// A process of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Order,
    Rent,
    Delivery,
    Mypage,
}

impl Who {
    pub(super) const ALL: [Self; 4] = [Self::Order, Self::Rent, Self::Delivery, Self::Mypage];
}

/// What a process uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Port {
    Store,
    Outbox,
    Bus,
    Rent,
}

/// What may be true after a call that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// Nothing was done.
    Undone,
    /// It may have been done.
    InDoubt,
}

/// How often what happens: one of so many steps.
struct Odds {
    death: u64,
    failure: u64,
    delay: u64,
}

/// The seed's course. Clones share it.
#[derive(Clone)]
pub(super) struct Fate(Arc<Course>);

struct Course {
    rng: Mutex<TestRng>,
    odds: Odds,
    pub(super) defect: Option<Defect>,
    begun: Instant,
    /// Nothing goes wrong any more.
    is_calm: AtomicBool,
    /// What nobody gets through to, and until when.
    cut: Mutex<BTreeMap<(Who, Port), Instant>>,
    deaths: mpsc::UnboundedSender<Who>,
    happened: Mutex<Happened>,
}

/// All that happened, and how often what went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Happened {
    pub(super) story: Vec<String>,
    pub(super) counts: BTreeMap<String, u64>,
}

impl Fate {
    /// Says who dies.
    pub(super) fn of(seed: u64, defect: Option<Defect>) -> (Self, mpsc::UnboundedReceiver<Who>) {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut one_of = |few: u64, many: u64| few + rng.next_u64() % (many - few);
        let odds = Odds { death: one_of(60, 600), failure: one_of(20, 400), delay: one_of(3, 30) };
        let (deaths, died) = mpsc::unbounded_channel();
        let course = Course {
            rng: Mutex::new(rng),
            odds,
            defect,
            begun: Instant::now(),
            is_calm: AtomicBool::new(false),
            cut: Mutex::default(),
            deaths,
            happened: Mutex::default(),
        };
        (Self(Arc::new(course)), died)
    }

    /// From 0, below `end`.
    pub(super) fn below(&self, end: u64) -> u64 {
        self.0.rng.lock().next_u64() % end
    }

    pub(super) fn one_in(&self, many: u64) -> bool {
        self.below(many) == 0
    }

    pub(super) fn millis(&self, most: u64) -> Duration {
        Duration::from_millis(self.below(most))
    }

    pub(super) fn has(&self, defect: Defect) -> bool {
        self.0.defect == Some(defect)
    }

    /// Milliseconds since the beginning.
    pub(super) fn now(&self) -> i64 {
        i64::try_from(self.0.begun.elapsed().as_millis()).expect("a short story")
    }

    pub(super) fn say(&self, what: impl Display) {
        let line = format!("{:>6} ms {what}", self.now());
        self.0.happened.lock().story.push(line);
    }

    fn count(&self, what: impl Display) {
        *self.0.happened.lock().counts.entry(what.to_string()).or_default() += 1;
    }

    /// The same, and it goes wrong.
    pub(super) fn harm(&self, who: Who, what: impl Display, kind: impl Display) {
        self.say(format_args!("{who:?}: {what}: {kind}"));
        self.count(kind);
    }

    pub(super) fn happened(&self) -> Happened {
        self.0.happened.lock().clone()
    }

    pub(super) fn calm_down(&self) {
        self.0.is_calm.store(true, Ordering::Relaxed);
        self.0.cut.lock().clear();
    }

    pub(super) fn is_calm(&self) -> bool {
        self.0.is_calm.load(Ordering::Relaxed)
    }

    /// For a while a process gets through to nobody at one of its ports.
    pub(super) fn cut(&self, who: Who, port: Port, lasts: Duration) {
        self.harm(who, format_args!("for {} ms", lasts.as_millis()), format_args!("{port:?} cut off"));
        self.0.cut.lock().insert((who, port), Instant::now() + lasts);
    }

    pub(super) fn is_cut(&self, who: Who, port: Port) -> bool {
        self.0.cut.lock().get(&(who, port)).is_some_and(|until| Instant::now() < *until)
    }

    fn dies(&self) -> bool {
        !self.is_calm() && self.one_in(self.0.odds.death)
    }

    pub(super) fn fails(&self) -> bool {
        !self.is_calm() && self.one_in(self.0.odds.failure)
    }
}

/// A process, from its start to its death. Clones are the same.
#[derive(Clone)]
pub(super) struct Life {
    pub(super) fate: Fate,
    pub(super) who: Who,
    is_over: Arc<AtomicBool>,
}

impl Life {
    pub(super) fn new(fate: &Fate, who: Who) -> Self {
        Self { fate: fate.clone(), who, is_over: Arc::default() }
    }

    /// From now on it does nothing more.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Others get their turn, and sometimes time goes by.
    pub(super) async fn pass_time(&self) {
        let fate = &self.fate;
        for _ in 0..fate.below(3) {
            yield_now().await;
        }
        if !fate.is_calm() && fate.one_in(fate.0.odds.delay) {
            // Now and then longer than anybody waits.
            let long = fate.one_in(50);
            fate.count(if long { "long delay" } else { "delay" });
            sleep(fate.millis(if long { 8_000 } else { 100 })).await;
        }
        if self.is_over.load(Ordering::Relaxed) {
            pending().await
        }
    }

    async fn die(&self, what: &str, when: &str) -> Infallible {
        if !self.is_over.swap(true, Ordering::Relaxed) {
            self.fate.harm(self.who, format_args!("{what}: {when} it"), format_args!("{:?} died", self.who));
            // Whoever hears it lives as long as the story.
            let _ = self.fate.0.deaths.send(self.who);
        }
        pending().await
    }

    /// What stands before each use of a port: the process may die, or the call fail.
    pub(super) async fn before(&self, port: Port, what: &str) -> Result<(), String> {
        self.pass_time().await;
        if self.fate.dies() {
            match self.die(what, "before").await {}
        }
        if self.fate.is_cut(self.who, port) {
            return Err("cut off".to_owned());
        }
        if self.fate.fails() {
            self.fate.harm(self.who, what, format_args!("{port:?} failed"));
            return Err("as the seed wants it".to_owned());
        }
        Ok(())
    }

    /// And after it.
    pub(super) async fn after(&self, port: Port, what: &str, failed: Failed) -> Result<(), String> {
        if self.fate.dies() {
            match self.die(what, "after").await {}
        }
        if failed == Failed::InDoubt && self.fate.fails() {
            self.fate.harm(self.who, what, format_args!("{port:?} failed, and it was done"));
            return Err("as the seed wants it, and it was done".to_owned());
        }
        self.pass_time().await;
        Ok(())
    }

    /// A use of a port: one step, with all that may happen around it.
    pub(super) async fn step<T, E, W>(
        &self,
        port: Port,
        what: &str,
        failed: Failed,
        error: impl Fn(String) -> E,
        work: impl FnOnce() -> W,
    ) -> Result<T, E>
    where
        W: Future<Output = Result<T, E>>,
    {
        self.before(port, what).await.map_err(&error)?;
        let done = at_once(work());
        self.fate.say(format_args!("{:?}: {what}", self.who));
        self.after(port, what, failed).await.map_err(error)?;
        done
    }
}
