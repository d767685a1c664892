//! What a service takes on: how many requests at once, and for how long each.
//!
//! One layer does all that every request needs (its id, its place, its deadline, an answer if it panics),
//! because each layer more is paid by each request.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use http_body::Body as _;
use platform_resilience::Pressure;
use tokio::time::{Sleep, sleep_until};
use tower::{Layer, Service};

use crate::Problem;
use crate::come_back::ComeBack;
use crate::deadline::{Deadline, time_for};
use crate::failures;
use crate::problem::AtLeast;
use crate::request_id::{REQUEST_ID, RequestId};

/// Health must be answered especially when everything else is refused.
const NEVER_LIMITED: &str = "/actuator";

/// After so many answers of a kind it is looked how many there are in a second: rarely enough to cost nothing.
const LOOK_EVERY: u64 = 256;

/// The bounds of one service. A [`Layer`]: wrap the whole router with it, once.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many requests are served at once; one more is refused at once, before its body is read. Default 1024.
    pub in_flight: usize,
    /// How many of them may be writes, which follows from how long writes take. None: as many as there are places.
    pub pressure: Option<Pressure>,
    /// After so long a request is answered with 504: what it asked for may still happen. Sooner where the request
    /// says so with [`REQUEST_DEADLINE`](crate::REQUEST_DEADLINE). Default 10 s.
    pub deadline: Duration,
    /// The `Retry-After` of a request that is refused for its number, in seconds, at least. That of every 503 grows with
    /// how many are turned away for each that is served. Default 1.
    pub retry_after: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { in_flight: 1024, pressure: None, deadline: Duration::from_secs(10), retry_after: 1 }
    }
}

/// How many requests are being served now.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: AtomicUsize,
    writes: AtomicUsize,
}

impl InFlight {
    /// The number.
    pub fn count(&self) -> usize {
        self.0.all.load(Ordering::Relaxed)
    }

    fn add(&self, is_write: bool) {
        self.0.all.fetch_add(1, Ordering::Relaxed);
        self.0.writes.fetch_add(usize::from(is_write), Ordering::Relaxed);
    }

    fn take(&self, is_write: bool) {
        self.0.all.fetch_sub(1, Ordering::Relaxed);
        self.0.writes.fetch_sub(usize::from(is_write), Ordering::Relaxed);
    }

    fn enter(&self, is_write: bool) -> Place {
        self.add(is_write);
        Place { in_flight: self.clone(), is_write }
    }

    /// Whether all who are there may be there. Asked when one more has been counted, and gives his place back where he
    /// may not: so of two, not both take the last place.
    fn fits(&self, max: usize, pressure: Option<&Pressure>, is_write: bool) -> bool {
        let Counts { all, writes } = &*self.0;
        let pressure = pressure.filter(|_| is_write);
        all.load(Ordering::Relaxed) <= max
            && pressure.is_none_or(|pressure| pressure.admits(writes.load(Ordering::Relaxed)))
    }
}

/// On a request with a body: its place, and those that it has in the services that have passed it on in this process.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    in_flight: InFlight,
    is_write: bool,
    max: usize,
    pressure: Option<Pressure>,
    retry_after: u32,
    outer: Option<Box<Self>>,
}

impl Seat {
    /// Gives the place to others until what is returned has come back, or is dropped.
    pub(crate) fn leave(&self) -> Outside<'_> {
        self.each(InFlight::take);
        Outside(self)
    }

    fn each(&self, change: impl Fn(&InFlight, bool)) {
        let mut seat = Some(self);
        while let Some(this) = seat {
            change(&this.in_flight, this.is_write);
            seat = this.outer.as_deref();
        }
    }
}

/// A request without its place.
pub(crate) struct Outside<'s>(&'s Seat);

impl Outside<'_> {
    /// Takes a place again; 503 where there is none.
    pub(crate) fn come_back(self) -> Result<(), Problem> {
        let seat = self.0;
        drop(self);
        let fits = seat.in_flight.fits(seat.max, seat.pressure.as_ref(), seat.is_write);
        if fits { Ok(()) } else { Err(Problem::overloaded(seat.retry_after)) }
    }
}

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        self.0.each(InFlight::add);
    }
}

/// Held while a request is served.
#[derive(Debug)]
struct Place {
    in_flight: InFlight,
    is_write: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.in_flight.take(self.is_write);
    }
}

/// How many requests were answered how. Those for `/actuator` are not counted.
#[derive(Debug, Default)]
pub struct Requests {
    /// By the first digit of the status.
    by_class: [AtomicU64; 6],
    overload: AtomicU64,
    unavailable: AtomicU64,
    /// When to come back with a write follows from writes alone, however many reads are served beside them.
    writes: Flow,
    reads: Flow,
}

/// How many of one kind were served, and how many turned away with 503.
#[derive(Debug, Default)]
struct Flow {
    served: AtomicU64,
    refused: AtomicU64,
    come_back: ComeBack,
}

impl Flow {
    fn count(&self, is_refused: bool) {
        let count = if is_refused { &self.refused } else { &self.served };
        if (count.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(LOOK_EVERY) {
            let (served, refused) = self.so_far();
            self.come_back.look(served, refused);
        }
    }

    fn so_far(&self) -> (u64, u64) {
        (self.served.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }
}

impl Requests {
    /// Answers with a status from `class` times 100 on, below the next hundred: 2, 3, 4 or 5.
    pub fn of_class(&self, class: u8) -> u64 {
        self.by_class.get(usize::from(class)).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Answers with 503 at once, because too many others were being served.
    pub fn overload(&self) -> u64 {
        self.overload.load(Ordering::Relaxed)
    }

    /// All other answers with 503.
    pub fn unavailable(&self) -> u64 {
        self.unavailable.load(Ordering::Relaxed)
    }

    /// Seconds until one who is turned away now may come back with the same kind of request, at least `least`.
    fn come_back_after(&self, least: u32, is_write: bool) -> u32 {
        let flow = self.flow(is_write);
        let (served, refused) = flow.so_far();
        flow.come_back.after(least, served, refused)
    }

    fn flow(&self, is_write: bool) -> &Flow {
        if is_write { &self.writes } else { &self.reads }
    }

    fn count(&self, status: StatusCode, is_overload: bool, is_write: bool) {
        let is_refused = status == StatusCode::SERVICE_UNAVAILABLE;
        if is_refused {
            let count = if is_overload { &self.overload } else { &self.unavailable };
            count.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(count) = self.by_class.get(usize::from(status.as_u16() / 100)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.flow(is_write).count(is_refused);
    }
}

impl<S> Layer<S> for Limits {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        Limited { inner, limits: self.clone(), in_flight: InFlight::default(), requests: Arc::default() }
    }
}

/// A service within [`Limits`].
#[derive(Clone, Debug)]
pub struct Limited<S> {
    inner: S,
    limits: Limits,
    in_flight: InFlight,
    requests: Arc<Requests>,
}

impl<S> Limited<S> {
    /// How many requests it is serving; for metrics.
    pub fn in_flight(&self) -> InFlight {
        self.in_flight.clone()
    }

    /// How many requests it has answered how; for metrics.
    pub fn requests(&self) -> Arc<Requests> {
        Arc::clone(&self.requests)
    }
}

impl<S> Limited<S> {
    fn seat(&self, request: &mut Request, is_write: bool) {
        let Limits { in_flight: max, retry_after, .. } = self.limits;
        let outer = request.extensions_mut().remove::<Seat>().map(Box::new);
        let (in_flight, pressure) = (self.in_flight.clone(), self.limits.pressure.clone());
        request.extensions_mut().insert(Seat { in_flight, is_write, max, pressure, retry_after, outer });
    }
}

impl<S> Service<Request> for Limited<S>
where
    S: Service<Request, Response = Response>,
    S::Future: Unpin,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Running<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let id = RequestId::of(request.headers());
        let limited = !request.uri().path().starts_with(NEVER_LIMITED);
        let is_write = !request.method().is_safe();
        let place = limited
            .then(|| self.in_flight.enter(is_write))
            .filter(|_| self.in_flight.fits(self.limits.in_flight, self.limits.pressure.as_ref(), is_write));
        let refused = limited && place.is_none();
        let deadline = Deadline::after(time_for(request.headers(), self.limits.deadline));
        let inner = (!refused).then(|| {
            request.extensions_mut().insert(id.clone());
            request.extensions_mut().insert(deadline);
            if place.is_some() && !request.body().is_end_stream() {
                self.seat(&mut request, is_write);
            }
            self.inner.call(request)
        });
        let retry_after =
            if refused { self.requests.come_back_after(self.limits.retry_after, is_write) } else { 0 };
        let requests = limited.then(|| Arc::clone(&self.requests));
        Running { inner, id, place, is_write, deadline, retry_after, requests, timer: None }
    }
}

/// A request that is being served.
#[derive(Debug)]
pub struct Running<F> {
    /// `None`: refused, or answered.
    inner: Option<F>,
    id: RequestId,
    place: Option<Place>,
    is_write: bool,
    deadline: Deadline,
    /// Of one that is refused.
    retry_after: u32,
    /// `None`: it is not counted.
    requests: Option<Arc<Requests>>,
    /// Only for a request that has to wait for something: most are answered without.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<F, E> Future for Running<F>
where
    F: Future<Output = Result<Response, E>> + Unpin,
{
    type Output = Result<Response, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let running = &mut *self;
        let answer = match running.inner.as_mut() {
            None => Ok(Problem::overloaded_answer(running.retry_after)),
            Some(inner) => match poll_caught(inner, cx) {
                Poll::Ready(Ok(answer)) => answer,
                Poll::Ready(Err(panic)) => Ok(failures::panicked(&running.id, panic.as_ref())),
                Poll::Pending if running.is_late(cx) => Ok(Problem::deadline_exceeded().into_response()),
                Poll::Pending => return Poll::Pending,
            },
        };
        let is_refused = running.inner.is_none();
        // What the request holds is given back now, not when the connection gets to dropping this.
        running.inner = None;
        running.place = None;
        Poll::Ready(answer.map(|mut response| {
            if let Some(requests) = &running.requests {
                requests.count(response.status(), is_refused, running.is_write);
            }
            if response.status().is_server_error() {
                if let (Some(AtLeast(least)), Some(requests)) =
                    (response.extensions_mut().remove(), &running.requests)
                {
                    let after = HeaderValue::from(requests.come_back_after(least, running.is_write));
                    response.headers_mut().insert(RETRY_AFTER, after);
                }
                failures::say(&running.id, &mut response);
            }
            response.headers_mut().insert(REQUEST_ID, running.id.to_header());
            response
        }))
    }
}

impl<F> Running<F> {
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let Deadline(at) = self.deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        timer.as_mut().poll(cx).is_ready()
    }
}

/// A panic is a bug in one handler: that request gets a 500, its connection and the others go on.
fn poll_caught<F>(inner: &mut F, cx: &mut Context<'_>) -> Poll<std::thread::Result<F::Output>>
where
    F: Future + Unpin,
{
    // The future is dropped after a panic and never polled again, so nobody sees what it left half done.
    match catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    }
}

#[cfg(test)]
mod tests;
