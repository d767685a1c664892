//! Confirm an order, idempotent by order id.

use std::sync::Arc;

use super::{
    ConfirmError, Rents,
    ports::{Said, Save, Unavailable},
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

/// What a confirm comes to, as long as nobody is faster.
struct Draft {
    /// What is to be saved; `None` where the rent is as it should be.
    change: Option<Save>,
    answer: Result<Confirmed, ConfirmError>,
}

impl Rents {
    /// Binds a copy to the order, or says why not; a repeat gets the same answer.
    ///
    /// It decides as if the order had no rent yet, which is so for all but repeats: saving finds out, and a read
    /// that almost never finds anything is spared.
    pub async fn confirm_rent(&self, command: ConfirmRent) -> Result<Confirmed, ConfirmError> {
        let mut existing = None;
        loop {
            let draft = self.draft(existing, &command).await?;
            let Some(change) = draft.change else { return draft.answer };
            if self.store.save(change).await?.is_ok() {
                return draft.answer;
            }
            existing = self.store.by_order(command.order_id).await?;
        }
    }

    /// Confirms several at once, each as [`Rents::confirm_rent`] would. The answers are in the order of the
    /// commands.
    pub async fn confirm_rents(&self, commands: Vec<ConfirmRent>) -> Vec<Result<Confirmed, ConfirmError>> {
        match self.confirm_together(&commands).await {
            Ok(answers) => answers,
            Err(error) => commands.iter().map(|_| Err(error.clone().into())).collect(),
        }
    }

    async fn confirm_together(
        &self,
        commands: &[ConfirmRent],
    ) -> Result<Vec<Result<Confirmed, ConfirmError>>, Unavailable> {
        let (mut changes, mut answers) =
            (Vec::with_capacity(commands.len()), Vec::with_capacity(commands.len()));
        for command in commands {
            let Draft { change, answer } = self.draft(None, command).await?;
            changes.extend(change);
            answers.push(answer);
        }
        // Without an existing rent each has something to save, so the results are in the order of the commands.
        let results = self.store.save_all(changes).await?;
        for ((command, answer), saved) in commands.iter().zip(&mut answers).zip(results) {
            if saved.is_err() {
                // A repeat: alone, from what there is.
                *answer = self.confirm_rent(command.clone()).await;
            }
        }
        Ok(answers)
    }

    async fn draft(&self, existing: Option<Rent>, command: &ConfirmRent) -> Result<Draft, Unavailable> {
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
        let (decision, refusal) = match domain::confirm_rent(existing.as_ref(), &request, &self.policy) {
            Confirmation::Confirmed(decision) => (decision, None),
            Confirmation::Refused(decision, refusal) => (decision, Some(refusal)),
        };
        let answer = |rent, is_new| match refusal {
            None => Ok(Confirmed { rent, is_new }),
            Some(refusal) => Err(ConfirmError::Refused(refusal)),
        };
        Ok(match (decision, existing) {
            (Decision::Unchanged, Some(rent)) => Draft { change: None, answer: answer(rent, false) },
            // Every confirm of an order without a rent makes one.
            (Decision::Unchanged, None) => return Err(Unavailable::Away("nothing was decided".to_owned())),
            (Decision::Changed(rent, fact), read) => {
                let said = fact.map(|fact| Said {
                    fact,
                    version: rent.version,
                    at: request.at,
                    correlation_id: command.correlation_id.clone(),
                });
                let expected = read.map(|rent| rent.version);
                let change = Save { expected, rent: rent.clone(), facts: said.into_iter().collect() };
                Draft { change: Some(change), answer: answer(rent, true) }
            }
        })
    }
}
