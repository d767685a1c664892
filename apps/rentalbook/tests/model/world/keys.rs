//! What a customer wishes, with an Idempotency-Key or without, and what the answers to it have to be.

use std::collections::BTreeMap;

use order::{
    application::{PlaceError, PlaceOrder},
    domain::{Customer, IdempotencyKey, Item, Order, OrderState, Rejection},
};

/// A request. Two with the same key are repeats if everything else is the same, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) suspended: bool,
    pub(crate) key: Option<u8>,
    /// What is wished for, among a few things.
    pub(crate) thing: u8,
}

impl Wish {
    pub(crate) fn command(&self) -> PlaceOrder {
        PlaceOrder {
            item: Item::parse(&self.item()).expect("an item"),
            customer: if self.suspended { Customer::parse("suspended") } else { None },
            idempotency_key: self.key.map(|key| IdempotencyKey::parse(&key.to_string()).expect("a key")),
            correlation_id: None,
            answer_by: None,
        }
    }

    /// It names everything that was wished, so that an order tells which requests are its own.
    pub(crate) fn item(&self) -> String {
        let key = self.key.map_or_else(|| "none".to_owned(), |key| key.to_string());
        format!(
            "key {key}: thing {} for {}",
            self.thing,
            if self.suspended { "suspended" } else { "anybody" }
        )
    }
}

/// The key that an order was placed with, also where it is free again.
fn key_of(order: &Order) -> Option<&str> {
    let (key, _) = order.item.as_str().strip_prefix("key ")?.split_once(':')?;
    (key != "none").then_some(key)
}

/// Whether it gives its key back.
fn gives_back(order: &Order) -> bool {
    order.state == OrderState::Rejected(Rejection::Unavailable)
}

/// Keys with two orders. One that was refused because rent did not answer has none any more.
pub(crate) fn of_two_orders(orders: &[Order]) -> Vec<String> {
    let mut holders = BTreeMap::<_, Vec<_>>::new();
    for order in orders.iter().filter(|order| !gives_back(order)) {
        if let Some(key) = key_of(order) {
            holders.entry(key).or_default().push((order.id, &order.state));
        }
    }
    let two = holders.into_iter().filter(|(_, holders)| holders.len() > 1);
    two.map(|(key, holders)| format!("key {key} has {holders:?}")).collect()
}

type Answer = Option<Result<Order, PlaceError>>;

/// Answers that are wrong. `None` is none: the library died meanwhile, perhaps with a write (`died`).
pub(super) fn broken(
    before: &[Order],
    after: &[Order],
    wishes: &[Wish],
    answers: &[Answer],
    died: bool,
) -> Vec<String> {
    let mut broken = of_two_orders(after);
    for (wish, answer) in wishes.iter().zip(answers) {
        let unanswered = answer.is_none() && died;
        if !unanswered && !is_right(before, after, wishes, wish, answer) {
            broken.push(format!("{wish:?} of {wishes:?} was answered {answer:?}, before: {before:?}"));
        }
    }
    // Every answer without an order before it has one now, and nothing else has.
    let held = |wish: &&Wish| wish.key.is_none() || holder(before, wish).is_none();
    let (most, made) = (wishes.iter().filter(held).count(), after.len() - before.len());
    let alone = wishes.iter().filter(|wish| wish.key.is_none()).count();
    if made > most || (made < alone && !died) {
        broken.push(format!("{made} orders for {wishes:?}, before: {before:?}"));
    }
    broken
}

fn is_right(before: &[Order], after: &[Order], wishes: &[Wish], wish: &Wish, answer: &Answer) -> bool {
    let (item, is_new) = (wish.item(), |order: &Order| before.iter().all(|old| old.id != order.id));
    match (holder(before, wish), answer) {
        // The same order as it is now, or none: never another, and nothing is placed.
        (Some(holder), Some(Ok(order))) => holder.id == order.id && order.item.as_str() == item,
        (Some(holder), Some(Err(PlaceError::KeyReused))) => holder.item.as_str() != item,
        (Some(_), None) => false,
        (None, Some(Ok(order))) => is_new(order) && order.item.as_str() == item,
        // Another request with this key was a moment faster.
        (None, Some(Err(PlaceError::KeyReused))) => {
            let others = wishes.iter().filter(|other| other.key == wish.key && other.item() != item);
            let mut placed =
                others.flat_map(|other| after.iter().filter(|order| order.item.as_str() == other.item()));
            wish.key.is_some() && placed.any(is_new)
        }
        (None, None) => true,
        (_, Some(Err(PlaceError::TooManyPending | PlaceError::Unavailable(_)))) => false,
    }
}

/// The order that has the key of `wish`.
fn holder<'o>(orders: &'o [Order], wish: &Wish) -> Option<&'o Order> {
    let key = wish.key?.to_string();
    orders.iter().find(|order| !gives_back(order) && key_of(order) == Some(&key))
}
