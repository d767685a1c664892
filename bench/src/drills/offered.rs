//! Orders that are offered at a rate of their own, whatever becomes of them: customers do not wait for one another.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    Result,
    load::{self, post_orders},
};

/// A load of orders.
#[derive(Clone, Copy)]
pub(super) struct Offer {
    /// Where they are placed.
    pub(super) address: SocketAddr,
    /// Customers, each with a connection; one that waits for its answer asks nothing else.
    pub(super) customers: usize,
    /// Orders a second over all customers; `None`: each asks again as soon as it is answered.
    pub(super) per_second: Option<f64>,
    /// How long.
    pub(super) lasts: Duration,
}

/// An answer to a customer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// When it came, from the beginning of the load.
    pub(super) at: Duration,
    /// From the request until it came.
    pub(super) took: Duration,
    pub(super) status: u16,
    /// Whether it says when to come back.
    pub(super) has_retry_after: bool,
}

impl Answer {
    /// The order was taken: confirmed, or to be confirmed later.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self.status, 201 | 202)
    }

    /// The order was not taken, and the customer knows when to come back.
    pub(super) fn is_put_off(&self) -> bool {
        self.status == 503 && self.has_retry_after
    }
}

/// What came of a load.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) all: Vec<Answer>,
    /// Requests whose connection broke, or whose answer did not come in half a minute.
    pub(super) unanswered: u64,
    /// How long requests were made.
    pub(super) load_lasts: Duration,
    /// From the first request to the last answer.
    pub(super) lasted: Duration,
}

impl Answers {
    pub(super) fn count(&self, which: impl Fn(&Answer) -> bool) -> u64 {
        self.all.iter().filter(|answer| which(answer)).count() as u64
    }

    /// How many of them a second.
    pub(super) fn per_second(&self, which: impl Fn(&Answer) -> bool) -> f64 {
        self.count(which) as f64 / self.lasted.as_secs_f64()
    }

    /// How many requests a second were made.
    pub(super) fn offered_per_second(&self) -> f64 {
        (self.all.len() as f64 + self.unanswered as f64) / self.load_lasts.as_secs_f64()
    }

    /// Requests that were neither taken nor put off.
    pub(super) fn lost(&self) -> u64 {
        self.count(|answer| !(answer.is_taken() || answer.is_put_off())) + self.unanswered
    }

    /// Milliseconds within which 99 % of them came.
    pub(super) fn p99_ms(&self, which: impl Fn(&Answer) -> bool) -> f64 {
        let mut took: Vec<_> =
            self.all.iter().filter(|answer| which(answer)).map(|answer| answer.took).collect();
        took.sort_unstable();
        let at = (took.len().saturating_sub(1) as f64 * 0.99) as usize;
        took.get(at).map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
    }

    /// Share of all requests, in percent.
    pub(super) fn percent(&self, which: impl Fn(&Answer) -> bool) -> f64 {
        100.0 * self.count(which) as f64 / (self.all.len() as f64 + self.unanswered as f64)
    }
}

/// Places the orders, and waits for the last answer.
pub(super) async fn place(offer: Offer) -> Result<Answers> {
    let (start, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let customers: Vec<_> =
        (0..offer.customers).map(|_| tokio::spawn(ask_on(offer, start, Arc::clone(&next)))).collect();
    let mut answers = Answers { load_lasts: offer.lasts, ..Answers::default() };
    for customer in customers {
        let of_one = customer.await??;
        answers.all.extend(of_one.all);
        answers.unanswered += of_one.unanswered;
    }
    answers.lasted = start.elapsed();
    Ok(answers)
}

async fn ask_on(offer: Offer, start: Instant, next: Arc<AtomicU64>) -> std::io::Result<Answers> {
    let make = post_orders();
    let (mut request, mut answer) = (Vec::new(), Vec::new());
    let mut answers = Answers::default();
    let mut connection = None;
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let due = offer.per_second.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(n as f64 / rate));
        if due.max(start.elapsed()) >= offer.lasts {
            return Ok(answers);
        }
        tokio::time::sleep_until((start + due).into()).await;
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => connect(offer.address).await?,
        };
        request.clear();
        make(n, &mut request);
        let asked = Instant::now();
        let answered = async {
            stream.write_all(&request).await?;
            load::read_answer(&mut stream, &mut answer).await
        };
        match answered.await {
            Ok(status) => {
                answers.all.push(Answer {
                    at: start.elapsed(),
                    took: asked.elapsed(),
                    status,
                    has_retry_after: load::header(&answer, b"retry-after").is_some(),
                });
                let is_last = load::header(&answer, b"connection").is_some_and(|value| value == b"close");
                connection = (!is_last).then_some(stream);
            }
            Err(_) => answers.unanswered += 1,
        }
    }
}

async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, millis: u64) -> Answer {
        Answer {
            at: Duration::ZERO,
            took: Duration::from_millis(millis),
            status,
            has_retry_after: status == 503,
        }
    }

    #[test]
    fn what_is_not_answered_counts_among_all() {
        let all = vec![answer(201, 1), answer(202, 2), answer(503, 3)];
        let (lasted, load_lasts) = (Duration::from_secs(2), Duration::from_secs(1));
        let answers = Answers { all, unanswered: 1, load_lasts, lasted };
        assert_eq!(answers.percent(Answer::is_taken), 50.0);
        assert_eq!(answers.lost(), 1);
        assert_eq!(answers.offered_per_second(), 4.0);
        assert_eq!(answers.per_second(Answer::is_taken), 1.0);
        assert_eq!(answers.p99_ms(|answer| answer.status == 503), 3.0);
        assert!(answers.p99_ms(|answer| answer.status == 500).is_nan());
    }
    #[tokio::test(start_paused = true)]
    async fn a_request_that_nobody_answers_is_given_up_and_counted() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let listening = tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((stream, _)) = silent.accept().await {
                kept.push(stream);
            }
        });
        let (customers, per_second, lasts) = (1, Some(1.0), Duration::from_millis(900));
        let answers = place(Offer { address, customers, per_second, lasts }).await.unwrap();
        assert_eq!((answers.all.len(), answers.unanswered, answers.lost()), (0, 1, 1));
        listening.abort();
    }
}
