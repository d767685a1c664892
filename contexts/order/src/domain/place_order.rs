//! Place: take the request, and say what became of it.

use super::order::{Customer, IdempotencyKey, Item, Moment, Order, OrderId, OrderState, Rejection, Version};

/// A request that has been read and found well formed.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The id that the order takes.
    pub id: OrderId,
    /// What is requested.
    pub item: Item,
    /// Who asks.
    pub customer: Option<Customer>,
    /// What a repeat carries.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Now.
    pub at: Moment,
}

/// Takes the request as `Pending` and says nothing yet. It is committed before rent is asked, so that no crash can
/// leave a rent without an order.
#[must_use]
pub fn place_order(placement: Placement) -> Order {
    let Placement { id, item, customer, idempotency_key, at } = placement;
    Order {
        id,
        item,
        customer,
        state: OrderState::Pending,
        ordered_said: false,
        deferred_said: false,
        idempotency_key,
        version: Version(1),
        placed_at: at,
        changed_at: at,
    }
}

/// What whoever has placed an order is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceAnswer<'a> {
    /// It was confirmed.
    Taken,
    /// It is taken, and confirmed as soon as rent answers.
    Deferred,
    /// A rule of rent refuses it, in its words.
    Refused(&'a str),
    /// Nothing was rented: come back.
    Unavailable,
}

/// The answer once the order's own call to rent is over, and to every repeat of the request. It follows from the
/// committed order, never from what rent has said: a cancel, an event or another caller may have been faster.
#[must_use]
pub fn answer_placed(order: &Order) -> PlaceAnswer<'_> {
    match &order.state {
        OrderState::Ordered | OrderState::Shipped | OrderState::Cancelling | OrderState::Canceled => {
            PlaceAnswer::Taken
        }
        OrderState::Pending => PlaceAnswer::Deferred,
        OrderState::Rejected(Rejection::Rule(reason)) => PlaceAnswer::Refused(reason),
        OrderState::Rejected(Rejection::Unavailable) => PlaceAnswer::Unavailable,
    }
}
