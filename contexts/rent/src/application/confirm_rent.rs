//! Confirm an order, idempotent by order id.

use std::sync::Arc;

use super::{
    ConfirmError, Rents,
    ports::{Said, Save},
};
use crate::domain::{self, Confirmation, Customer, Decision, OrderId, Rent, Request};

/// The command.
#[derive(Clone, Debug)]
pub struct ConfirmRent {
    /// The order to confirm.
    pub order_id: OrderId,
    /// Whose order it is.
    pub customer: Option<Customer>,
    /// The request that caused it.
    pub correlation_id: Option<Arc<str>>,
}

/// The rent of the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The rent.
    pub rent: Rent,
    /// Whether this call made it; otherwise an earlier one did.
    pub is_new: bool,
}

impl Rents {
    /// Binds a copy to the order, or says why not; a repeat gets the same answer.
    ///
    /// It decides as if the order had no rent yet, which is so for all but repeats: saving finds out, and a read
    /// that almost never finds anything is spared.
    pub async fn confirm_rent(&self, command: ConfirmRent) -> Result<Confirmed, ConfirmError> {
        let mut existing: Option<Rent> = None;
        loop {
            let new_id = match &existing {
                Some(rent) => rent.id,
                None => self.store.next_id().await?,
            };
            let request = Request {
                new_id,
                order_id: command.order_id,
                customer: command.customer.clone(),
                at: self.clock.now(),
            };
            let confirmation = domain::confirm_rent(existing.as_ref(), &request, &self.policy);
            let (decision, refusal) = match confirmation {
                Confirmation::Confirmed(decision) => (decision, None),
                Confirmation::Refused(decision, refusal) => (decision, Some(refusal)),
            };
            let answer = |rent, is_new| match refusal {
                None => Ok(Confirmed { rent, is_new }),
                Some(refusal) => Err(ConfirmError::Refused(refusal)),
            };
            match (decision, existing) {
                (Decision::Unchanged, Some(rent)) => return answer(rent, false),
                // Every confirm of an order without a rent makes one.
                (Decision::Unchanged, None) => {}
                (Decision::Changed(rent, fact), read) => {
                    let said = fact.map(|fact| Said {
                        fact,
                        version: rent.version,
                        at: request.at,
                        correlation_id: command.correlation_id.clone(),
                    });
                    let expected = read.map(|rent| rent.version);
                    let change = Save { expected, rent: rent.clone(), facts: said.into_iter().collect() };
                    if self.store.save(change).await?.is_ok() {
                        return answer(rent, true);
                    }
                }
            }
            existing = self.store.by_order(command.order_id).await?;
        }
    }
}
