//! Who uses the library: customers and couriers, who hear an answer, or none.

use std::{collections::BTreeMap, sync::Arc};

use delivery::application::HandOver;
use order::{
    application::{CancelOrder, PlaceError},
    domain::{Order, OrderId},
};
use parking_lot::Mutex;

use super::{
    super::world::{Promise, Wish, of_two_orders},
    Defect,
    library::Library,
};

/// What they were told.
#[derive(Default)]
pub(super) struct Told {
    promises: BTreeMap<OrderId, Promise>,
    /// How the requests for each thing without a key have ended; nobody else wishes for the same.
    alone: BTreeMap<String, Ending>,
    placed: u8,
    broken: Vec<String>,
}

/// How a request has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Answered,
    /// There is no order.
    Refused,
    /// Nobody knows.
    Unanswered,
}

/// Customers and couriers. Clones share what they were told.
#[derive(Clone)]
pub(super) struct Clients {
    pub(super) library: Library,
    pub(super) told: Arc<Mutex<Told>>,
}

impl Clients {
    /// One of them, who does so much one after the other.
    pub(super) async fn go(self, commands: u64) {
        for _ in 0..commands {
            let fate = &self.library.fate;
            tokio::time::sleep(fate.millis(self.library.setting.pause)).await;
            match fate.below(8) {
                0..4 => self.place().await,
                4 | 5 => self.cancel().await,
                _ => self.hand_over().await,
            }
        }
    }

    async fn place(&self) {
        let fate = &self.library.fate;
        let suspended = fate.one_in(10);
        let wish = if fate.one_in(2) {
            let (key, thing) = (fate.below(3), fate.below(2));
            Wish { suspended, key: u8::try_from(key).ok(), thing: u8::try_from(thing).expect("a small one") }
        } else {
            let mut told = self.told.lock();
            told.placed += 1;
            Wish { suspended, key: None, thing: told.placed }
        };
        let Some(order) = self.library.running.lock().order.clone() else { return };
        let (orders, command) = (order.does.clone(), wish.command());
        let answer = order.ask(async move { orders.place_order(command).await }).await;
        fate.say(format_args!("customer: {} was answered {answer:?}", wish.item()));
        self.told.lock().hear(&wish, answer);
    }

    fn some_order(&self) -> Option<OrderId> {
        let told = self.told.lock();
        let known: Vec<_> = told.promises.keys().collect();
        let choice = self.library.fate.below(known.len().max(1) as u64);
        known.get(usize::try_from(choice).expect("small")).copied().copied()
    }

    async fn cancel(&self) {
        let Some(id) = self.some_order() else { return };
        let Some(order) = self.library.running.lock().order.clone() else { return };
        let (orders, command) =
            (order.does.clone(), CancelOrder { id, if_version: None, correlation_id: None });
        let panics = self.library.fate.has(Defect::PanicsAfterCancelling);
        let cancelled = order.ask(async move {
            let cancelled = orders.cancel_order(command).await;
            assert!(!panics, "planted");
            cancelled
        });
        let cancelled = cancelled.await;
        self.library.fate.say(format_args!("customer: cancel {} was answered {cancelled:?}", id.0));
        let mut told = self.told.lock();
        let promise = told.promises.entry(id).or_default();
        match cancelled {
            Some(Ok(_)) => promise.cancel_accepted = true,
            Some(Err(_)) => {}
            None => promise.cancel_unanswered = true,
        }
    }

    async fn hand_over(&self) {
        let Some(id) = self.some_order() else { return };
        let Some(delivery) = self.library.running.lock().delivery.clone() else { return };
        let deliveries = delivery.does.clone();
        let handed_over = delivery.ask(async move {
            let parcel = deliveries.delivery_of_order(delivery::domain::OrderId(id.0)).await.ok().flatten();
            let Some(id) = parcel.and_then(|parcel| parcel.id) else { return false };
            deliveries.hand_over(HandOver { id, if_version: None, correlation_id: None }).await.is_ok()
        });
        let handed_over = handed_over.await;
        self.library.fate.say(format_args!("courier: {} is handed over: {handed_over:?}", id.0));
        let mut told = self.told.lock();
        let promise = told.promises.entry(id).or_default();
        match handed_over {
            Some(handed_over) => promise.handed_over |= handed_over,
            None => promise.hand_over_unanswered = true,
        }
    }
}

impl Told {
    fn hear(&mut self, wish: &Wish, answer: Option<Result<Order, PlaceError>>) {
        let ending = match &answer {
            Some(Ok(order)) => {
                if order.item.as_str() != wish.item() {
                    self.broken.push(format!("{} was answered {order:?}", wish.item()));
                }
                self.promises.entry(order.id).or_default().answered.push(order.state.clone());
                Ending::Answered
            }
            Some(Err(_)) => Ending::Refused,
            None => Ending::Unanswered,
        };
        if wish.key.is_none() {
            if matches!(answer, Some(Err(PlaceError::KeyReused))) {
                self.broken.push(format!("{} has no key", wish.item()));
            }
            self.alone.insert(wish.item(), ending);
        }
    }

    /// What was told and did not come true. `shipped`: whose parcel was handed over.
    pub(super) fn broken(
        &self,
        orders: &[Order],
        shipped: impl Fn(OrderId) -> bool,
        rejects: bool,
    ) -> Vec<String> {
        let mut broken = self.broken.clone();
        broken.extend(of_two_orders(orders));
        for order in orders {
            let promise = self.promises.get(&order.id).cloned().unwrap_or_default();
            if !promise.is_kept(&order.state, shipped(order.id), rejects) {
                broken.push(format!("{}: {promise:?} became {:?}", order.id.0, order.state));
            }
        }
        let is_there = |id: &OrderId| orders.iter().any(|order| order.id == *id);
        let lost = self.promises.keys().filter(|id| !is_there(id));
        broken.extend(lost.map(|id| format!("order {} is lost", id.0)));
        for (item, ending) in &self.alone {
            let count = orders.iter().filter(|order| order.item.as_str() == item).count();
            let fits = match ending {
                Ending::Answered => count == 1,
                Ending::Refused => count == 0,
                Ending::Unanswered => count <= 1,
            };
            if !fits {
                broken.push(format!("{item}: {ending:?}, and there are {count} orders"));
            }
        }
        broken
    }
}
