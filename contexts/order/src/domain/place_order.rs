//! Place: take the request.

use super::order::{Customer, IdempotencyKey, Item, Moment, Order, OrderId, OrderState, Version};

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
