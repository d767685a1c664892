//! Place an order: commit it as `Pending`, ask rent, answer from what is committed then.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use super::{
    Orders,
    ports::{Revocation, Save, Unavailable},
};
use crate::domain::{self, Customer, IdempotencyKey, Item, Order, Placement};

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
    /// When whoever asks does not wait for the answer any longer.
    pub answer_by: Option<Instant>,
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

/// What has to be left of the time for a request when rent has answered, or has not: some commits of a store that is
/// under pressure, whose writes take up to 25 ms.
pub const TO_COMMIT_AND_ANSWER: Duration = Duration::from_millis(100);

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
                return Ok(self.confirm_placed(pending, command).await);
            }
            // Somebody else has just used the key, or taken the last place: now that is seen.
        }
    }

    async fn placed_before(&self, command: &PlaceOrder) -> Result<Option<Order>, PlaceError> {
        let Some(key) = &command.idempotency_key else { return Ok(None) };
        match self.store.by_key(key).await? {
            Some(order) if order.item == command.item && order.customer == command.customer => {
                self.store.settled().await?;
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
        let revocation = Revocation::default();
        let mut saving = self.store.save(Save {
            expected: None,
            was_pending: false,
            pending_below: Some(self.policy.max_pending),
            order: order.clone(),
            facts: Vec::new(),
            revocation: Some(revocation.clone()),
            redoable: false,
        });
        let saved = match timeout(self.policy.store_deadline, &mut saving).await {
            Ok(saved) => saved?,
            Err(_late) if revocation.revoke() => {
                let reason = "the order could not be stored in time".to_owned();
                return Err(PlaceError::Unavailable(Unavailable::Away(reason)));
            }
            // It is being written just now: only the end of that says whether there is an order.
            Err(_late) => saving.await?,
        };
        Ok(saved.is_ok().then_some(order))
    }

    /// From here on the order exists: whatever fails now, it is answered as it is known to be committed, and the
    /// resume worker sees to the rest.
    async fn confirm_placed(&self, pending: Order, command: PlaceOrder) -> Order {
        let until = command.answer_by.map(|by| by.checked_sub(TO_COMMIT_AND_ANSWER).unwrap_or(by));
        match self.first_call(pending.clone(), command.correlation_id, until).await {
            Ok(order) => order,
            Err(error) => {
                tracing::warn!(order = pending.id.0, %error, "the answer of rent could not be stored, resuming later");
                pending
            }
        }
    }
}
