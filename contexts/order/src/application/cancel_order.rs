//! The customer cancels.

use std::sync::Arc;

use super::{Orders, confirm_order::a_change, ports::Unavailable};
use crate::domain::{self, CancelRefused, Decision, Order, OrderId, Version};

/// The command.
#[derive(Clone, Debug)]
pub struct CancelOrder {
    /// Which order.
    pub id: OrderId,
    /// The version that the customer saw, where the request depends on it.
    pub if_version: Option<Version>,
    /// The request that caused it.
    pub correlation_id: Option<Arc<str>>,
}

/// Why an order was not cancelled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CancelError {
    /// There is no such order.
    #[error("there is no such order")]
    Unknown,
    /// The order has changed since the customer saw it.
    #[error("the order has changed since")]
    Changed(Version),
    /// Its state does not allow it.
    #[error("{}", .0.reason())]
    Refused(CancelRefused),
    /// The store is away; a retry may help.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Orders {
    /// Cancels and returns the order as it is committed.
    pub async fn cancel_order(&self, command: CancelOrder) -> Result<Order, CancelError> {
        loop {
            let order = self.store.by_id(command.id).await?.ok_or(CancelError::Unknown)?;
            if command.if_version.is_some_and(|seen| seen != order.version) {
                return Err(CancelError::Changed(order.version));
            }
            match domain::cancel_order(&order, self.clock.now()).map_err(CancelError::Refused)? {
                Decision::Unchanged => {
                    self.store.settled().await?;
                    return Ok(order);
                }
                Decision::Changed(cancelling, fact) => {
                    let change = a_change(&order, cancelling.clone(), fact, command.correlation_id.clone());
                    if self.store.save(change).await?.is_ok() {
                        return Ok(cancelling);
                    }
                }
            }
        }
    }
}
