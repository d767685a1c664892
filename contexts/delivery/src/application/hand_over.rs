//! The courier takes the parcel.

use std::sync::Arc;

use super::{
    Deliveries,
    ports::{Said, Save, Unavailable},
};
use crate::domain::{self, Decision, Delivery, DeliveryId, HandOverRefused, Version};

/// The command.
#[derive(Clone, Debug)]
pub struct HandOver {
    /// Which delivery.
    pub id: DeliveryId,
    /// The version that the courier saw, where the request depends on it.
    pub if_version: Option<Version>,
    /// The request that caused it.
    pub correlation_id: Option<Arc<str>>,
}

/// Why a parcel was not handed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandOverError {
    /// The delivery has changed since the courier saw it.
    #[error("the delivery has changed since")]
    Changed(Version),
    /// There is no such parcel, or its state does not allow it.
    #[error("{}", .0.reason())]
    Refused(HandOverRefused),
    /// The store is away; a retry may help.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Deliveries {
    /// Hands the parcel over and returns the delivery as it is committed. Against a cancellation at the same
    /// moment exactly one of the two wins.
    pub async fn hand_over(&self, command: HandOver) -> Result<Delivery, HandOverError> {
        loop {
            let refused = HandOverError::Refused;
            let found = self.delivery(command.id).await?;
            let delivery = found.ok_or(refused(HandOverRefused::NoParcel))?;
            if command.if_version.is_some_and(|seen| seen != delivery.version) {
                return Err(HandOverError::Changed(delivery.version));
            }
            match domain::hand_over(Some(&delivery), self.clock.now()).map_err(refused)? {
                Decision::Unchanged => {
                    self.store.settled().await?;
                    return Ok(delivery);
                }
                Decision::Changed(handed_over, fact) => {
                    let said = fact.map(|fact| Said {
                        fact,
                        version: handed_over.version,
                        at: handed_over.changed_at,
                        correlation_id: command.correlation_id.clone(),
                    });
                    let change = Save {
                        expected: Some(delivery.version),
                        was_shown: delivery.state.is_shown(),
                        delivery: handed_over.clone(),
                        facts: said.into_iter().collect(),
                    };
                    if self.store.save(change).await?.is_ok() {
                        return Ok(handed_over);
                    }
                }
            }
        }
    }
}
