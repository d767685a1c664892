//! Ask rent, and commit what that means for the order. Placing and resuming do it alike.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    OnRentUnavailable, Orders,
    ports::{AskRent, RentAnswer, Said, Save, Unavailable},
};
use crate::domain::{self, Decision, Fact, Moment, Order, OrderState, Rejection};

/// What came of one call to rent.
pub(super) struct CallOutcome {
    /// The order as it is committed now, whoever changed it.
    pub(super) order: Order,
    /// Whether rent answered.
    pub(super) rent_answered: bool,
}

impl Orders {
    /// Asks rent once, whose answer is of use until then, and commits the consequence.
    pub(super) async fn ask_rent(
        &self,
        order: Order,
        correlation_id: Option<Arc<str>>,
        answer_by: Option<Instant>,
        repeated: bool,
    ) -> Result<CallOutcome, Unavailable> {
        let ask = AskRent {
            order_id: order.id,
            customer: order.customer.clone(),
            correlation_id: correlation_id.clone(),
            repeated,
            answer_by,
        };
        let answer = self.rent.confirm(ask).await;
        self.note_silence(&order, &answer);
        let rent_answered = !matches!(answer, RentAnswer::Unavailable(_));
        let order = self.commit(order, correlation_id, |order| self.decide_answer(order, &answer)).await?;
        Ok(CallOutcome { order, rent_answered })
    }

    pub(super) fn note_silence(&self, order: &Order, answer: &RentAnswer) {
        if let RentAnswer::Unavailable(reason) = answer {
            tracing::debug!(order = order.id.0, reason, "rent did not answer");
        }
    }

    /// Decides on the order as it was read, and again on what a faster one (a cancel, an event, the other of the
    /// two callers) has made of it. Returns the order as it is committed now.
    pub(super) async fn commit(
        &self,
        mut order: Order,
        correlation_id: Option<Arc<str>>,
        decide: impl Fn(&Order) -> Decision,
    ) -> Result<Order, Unavailable> {
        loop {
            match decide(&order) {
                Decision::Unchanged => return Ok(order),
                Decision::Changed(changed, fact) => {
                    let change = self.confirmed(a_change(&order, changed, fact, correlation_id.clone()));
                    let changed = change.order.clone();
                    if self.store.save(change).await?.is_ok() {
                        return Ok(changed);
                    }
                }
            }
            // An order is never deleted, so it is found.
            order = self.store.by_id(order.id).await?.unwrap_or(order);
        }
    }

    /// Whether the change confirms an order, and would do so again: a power cut would leave it `Pending` again, and
    /// rent, which has confirmed it durably, says the same to the resume worker. Where orders are refused while rent
    /// does not answer, that could end otherwise.
    pub(super) fn confirmed(&self, change: Save) -> Save {
        let confirms = change.was_pending && change.order.state == OrderState::Ordered;
        let is_never_refused = self.policy.on_rent_unavailable == OnRentUnavailable::Defer;
        Save { redoable: confirms && is_never_refused, ..change }
    }

    pub(super) fn decide_answer(&self, order: &Order, answer: &RentAnswer) -> Decision {
        decide_answer(order, answer, self.policy.on_rent_unavailable, self.clock.now())
    }
}

/// What rent's answer, or its silence, means for the order. Pure, so that the model of the process asks this very
/// function.
#[must_use]
pub fn decide_answer(
    order: &Order,
    answer: &RentAnswer,
    on_unavailable: OnRentUnavailable,
    at: Moment,
) -> Decision {
    match (answer, on_unavailable) {
        (RentAnswer::Confirmed, _) => domain::confirm_order(order, at),
        (RentAnswer::Refused(reason), _) => domain::reject_order(order, Rejection::Rule(reason.clone()), at),
        (RentAnswer::Unavailable(_), OnRentUnavailable::Defer) => domain::defer_order(order, at),
        (RentAnswer::Unavailable(_), OnRentUnavailable::Reject) => {
            domain::reject_order(order, Rejection::Unavailable, at)
        }
    }
}

/// The change from `before` to `after` with what it says.
pub(super) fn a_change(
    before: &Order,
    after: Order,
    fact: Option<Fact>,
    correlation_id: Option<Arc<str>>,
) -> Save {
    let said = fact.map(|fact| Said { fact, version: after.version, at: after.changed_at, correlation_id });
    Save {
        expected: Some(before.version),
        was_pending: before.state == OrderState::Pending,
        pending_below: None,
        order: after,
        facts: said.into_iter().collect(),
        revocation: None,
        redoable: false,
    }
}
