//! Customers and couriers who remember every answer they got.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::Method;
use serde_json::{Value, json};

use super::program::Http;

/// splitmix64: the same seed gives the same numbers.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What the library has answered.
#[derive(Default)]
pub(crate) struct Memory {
    /// Orders answered 201 or 202, with their items.
    pub(crate) orders: BTreeMap<i64, String>,
    /// How many of them 202.
    pub(crate) deferred: u64,
    /// Items of requests with a key, and all order ids that their repeats were answered.
    pub(crate) keyed: BTreeMap<String, BTreeSet<i64>>,
    /// Orders whose cancellation was accepted.
    pub(crate) cancelled: BTreeSet<i64>,
    /// Orders whose hand-over was accepted.
    pub(crate) handed_over: BTreeSet<i64>,
    /// Requests that nobody has answered.
    pub(crate) unanswered: u64,
}

impl Memory {
    pub(crate) fn absorb(&mut self, other: Self) {
        self.orders.extend(other.orders);
        self.deferred += other.deferred;
        self.keyed.extend(other.keyed);
        self.cancelled.extend(other.cancelled);
        self.handed_over.extend(other.handed_over);
        self.unanswered += other.unanswered;
    }
}

/// Pause after a request that was not answered, or answered with "come back".
const PAUSE: Duration = Duration::from_millis(20);

/// How the library runs that is borrowed from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Whether a gateway may have to say that it does not know what became of a request: 502 and 504.
    pub(crate) breaks_off: bool,
    /// How often the courier looks for a parcel.
    pub(crate) looks: u32,
}

impl Manner {
    /// One process: whoever asks it is answered or not.
    pub(crate) const ONE_PROCESS: Self = Self { breaks_off: false, looks: 20 };

    /// Many: parcels wait until their partition has a consumer again.
    #[cfg(feature = "distributed")]
    pub(crate) const MANY_PROCESSES: Self = Self { breaks_off: true, looks: 500 };
}

struct Customer {
    manner: Manner,
    http: Http,
    memory: Memory,
    random: Random,
    stop: Arc<AtomicBool>,
}

/// Places, cancels and hands over until it is stopped.
pub(crate) async fn borrow_for_ever(
    n: u64,
    seed: u64,
    http: Http,
    manner: Manner,
    stop: Arc<AtomicBool>,
) -> Memory {
    let random = Random(seed ^ (n + 1).wrapping_mul(0x5851_f42d_4c95_7f2d));
    let mut customer = Customer { manner, http, memory: Memory::default(), random, stop };
    for book in 0.. {
        if customer.is_stopped() {
            break;
        }
        let item = format!("book {n}-{book}");
        let order = if book % 3 == 0 {
            customer.place_with_a_key(&item).await
        } else {
            customer.place(&item, &[]).await
        };
        let Some(order) = order else { continue };
        match book % 10 {
            0..3 => customer.cancel(order).await,
            3..6 => customer.hand_over(order).await,
            6 => {
                // Both want the parcel.
                customer.hand_over(order).await;
                customer.cancel(order).await;
            }
            _ => {}
        }
    }
    customer.memory
}

impl Customer {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// The order id, where there was an answer.
    async fn place(&mut self, item: &str, headers: &[(&str, &str)]) -> Option<i64> {
        let body = json!({ "item": item, "customer": format!("customer {}", self.random.below(50)) });
        self.place_with(&body, item, headers).await
    }

    async fn place_with(&mut self, body: &Value, item: &str, headers: &[(&str, &str)]) -> Option<i64> {
        let Some(answer) = self.http.ask(4, Method::POST, "/orders", headers, Some(body)).await else {
            return self.unanswered().await;
        };
        match answer.status {
            201 | 202 => {
                let order = answer.number("id");
                assert_eq!(answer.text("item"), item);
                let known = self.memory.orders.insert(order, item.to_owned());
                assert!(known.is_none_or(|known| known == item), "an id is given once: {answer:?}");
                self.memory.deferred += u64::from(answer.status == 202);
                Some(order)
            }
            503 => {
                tokio::time::sleep(PAUSE).await;
                None
            }
            // A gateway cannot know what became of a request whose service has died.
            502 | 504 if self.manner.breaks_off => self.unanswered().await,
            _ => panic!("{item}: {answer:?}"),
        }
    }

    /// Repeats the request until it is answered, and once more: one key, one order.
    async fn place_with_a_key(&mut self, item: &str) -> Option<i64> {
        let key = item.replace(' ', "-");
        let headers = [("idempotency-key", key.as_str())];
        let body = json!({ "item": item, "customer": "customer with a key" });
        self.memory.keyed.entry(item.to_owned()).or_default();
        let mut found = None;
        let mut answers = 0;
        while answers < 2 && !self.is_stopped() {
            let Some(order) = self.place_with(&body, item, &headers).await else { continue };
            answers += 1;
            found = Some(order);
            if let Some(ids) = self.memory.keyed.get_mut(item) {
                ids.insert(order);
            }
        }
        found
    }

    async fn cancel(&mut self, order: i64) {
        let body = json!({ "status": "Order Cancel" });
        let path = format!("/orders/{order}");
        match self.http.ask(4, Method::PATCH, &path, &[], Some(&body)).await {
            None => {
                self.unanswered().await;
            }
            Some(answer) if answer.status == 200 => {
                self.memory.cancelled.insert(order);
            }
            Some(answer) => assert!(self.is_refusal(answer.status), "{answer:?}"),
        }
    }

    /// Looks for the parcel until it is there, and takes it.
    async fn hand_over(&mut self, order: i64) {
        let path = format!("/deliveries/search/findByOrderId?orderId={order}");
        for _ in 0..self.manner.looks {
            if self.is_stopped() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
            let Some(answer) = self.http.get(4, &path).await else {
                self.unanswered().await;
                return;
            };
            if answer.status != 200 {
                continue;
            }
            let Some(parcel) = answer.json()["_embedded"]["deliveries"][0]["id"].as_i64() else { continue };
            let body = json!({ "status": "Shipped" });
            let path = format!("/deliveries/{parcel}");
            match self.http.ask(4, Method::PATCH, &path, &[], Some(&body)).await {
                None => {
                    self.unanswered().await;
                    return;
                }
                Some(answer) if answer.status == 200 => {
                    self.memory.handed_over.insert(order);
                    return;
                }
                Some(answer) => assert!(self.is_refusal(answer.status), "{answer:?}"),
            }
        }
    }

    fn is_refusal(&self, status: u16) -> bool {
        [409, 503].contains(&status) || self.manner.breaks_off && [502, 504].contains(&status)
    }

    async fn unanswered(&mut self) -> Option<i64> {
        self.memory.unanswered += 1;
        tokio::time::sleep(PAUSE).await;
        None
    }
}
