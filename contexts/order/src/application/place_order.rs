//! Place an order: commit it as `Pending`, ask rent, answer from what is committed then.

use std::sync::Arc;

use super::{
    Orders,
    ports::{Save, Unavailable},
};
use crate::domain::{self, Customer, IdempotencyKey, Item, Order, Placement, Rejection};

/// The command.
#[derive(Clone, Debug)]
pub struct PlaceOrder {
    /// What is requested.
    pub item: Item,
    /// Who asks.
    pub customer: Option<Customer>,
    /// What a repeat carries.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The request that caused it.
    pub correlation_id: Option<Arc<str>>,
}

/// Why no order was placed. There is no row, or none that binds anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Too many orders wait for their confirmation.
    #[error("too many requests wait for their confirmation at the moment")]
    TooManyPending,
    /// The idempotency key belongs to another request.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// The store is away.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Orders {
    /// Places an order and returns it as it is committed when its own call to rent is over.
    ///
    /// A repeat with the same key returns the same order as it is now and never places a second.
    pub async fn place_order(&self, command: PlaceOrder) -> Result<Order, PlaceError> {
        loop {
            if let Some(order) = self.placed_before(&command).await? {
                return Ok(order);
            }
            // Asked here too, so that a flood of requests does not even get to the store.
            if self.store.pending() >= self.policy.max_pending {
                return Err(PlaceError::TooManyPending);
            }
            if let Some(pending) = self.commit_pending(&command).await? {
                return Ok(self.first_call(pending, command.correlation_id).await);
            }
            // Somebody else has just used the key, or taken the last place: now that is seen.
        }
    }

    async fn placed_before(&self, command: &PlaceOrder) -> Result<Option<Order>, PlaceError> {
        let Some(key) = &command.idempotency_key else { return Ok(None) };
        match self.store.by_key(key).await? {
            Some(order) if order.item == command.item && order.customer == command.customer => {
                Ok(Some(order))
            }
            Some(_) => Err(PlaceError::KeyReused),
            None => Ok(None),
        }
    }

    /// `None` where the key or the last place was taken meanwhile.
    async fn commit_pending(&self, command: &PlaceOrder) -> Result<Option<Order>, PlaceError> {
        let order = domain::place_order(Placement {
            id: self.store.next_id().await?,
            item: command.item.clone(),
            customer: command.customer.clone(),
            idempotency_key: command.idempotency_key.clone(),
            at: self.clock.now(),
        });
        let change = Save {
            expected: None,
            was_pending: false,
            pending_below: Some(self.policy.max_pending),
            order: order.clone(),
            facts: Vec::new(),
        };
        let store = Arc::clone(&self.store);
        let mut saving = Box::pin(async move { store.save(change).await });
        match tokio::time::timeout(self.policy.store_deadline, &mut saving).await {
            Ok(saved) => Ok(saved?.is_ok().then_some(order)),
            Err(_late) => {
                self.withdraw_when_saved(saving, order);
                Err(PlaceError::Unavailable(Unavailable("the order could not be stored in time".to_owned())))
            }
        }
    }

    /// The customer was told that there is no order: where it is committed after all, it is rejected.
    fn withdraw_when_saved(
        &self,
        saving: impl Future<Output = Result<Result<(), super::ports::Conflict>, Unavailable>> + Send + 'static,
        order: Order,
    ) {
        let orders = self.clone();
        tokio::spawn(async move {
            let Ok(Ok(())) = saving.await else { return };
            let id = order.id.0;
            let reject =
                |order: &Order| domain::reject_order(order, Rejection::Unavailable, orders.clock.now());
            if let Err(error) = orders.commit(order, None, reject).await {
                tracing::error!(order = id, %error, "an order that was refused could not be withdrawn");
            }
        });
    }

    /// From here on the order exists: whatever fails now, it is answered as it is known to be committed, and the
    /// resume worker sees to the rest.
    async fn first_call(&self, pending: Order, correlation_id: Option<Arc<str>>) -> Order {
        match self.ask_rent(pending.clone(), correlation_id).await {
            Ok(outcome) => outcome.order,
            Err(error) => {
                tracing::warn!(order = pending.id.0, %error, "the answer of rent could not be stored, resuming later");
                pending
            }
        }
    }
}
