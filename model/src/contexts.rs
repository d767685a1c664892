//! What the contexts decide: every line calls their own functions.
//!
//! What is repeated here is only which function hears which event: `reaction` of each context's
//! `adapters/inbound/events.rs` and `decide` of its `application/on_events.rs`, and the names that
//! `adapters/outbound/wire.rs` gives to what is said. A test holds it against those very adapters.

use std::collections::HashSet;

use contracts::Timestamp;
use delivery::domain as delivering;
use mypage::projection::{self, Fact};
use order::{
    application::{decide_answer, ports::RentAnswer},
    domain as ordering,
};
use rent::domain as renting;

use crate::{
    defect::Defect,
    table::{Decided, Input, Reply, Row},
};

/// The one order of the model.
pub const ORDER: i64 = 1;
/// Its customer.
pub const CUSTOMER: &str = "reader";
/// What is requested.
pub const ITEM: &str = "COSMOS";
/// Why a rule refuses.
pub const REASON: &str = "this customer may not borrow at present; ask the library's desk";

const NOW: i64 = 0;

impl Row for ordering::Order {
    fn version(&self) -> i64 {
        self.version.0
    }

    fn unversioned(self) -> Self {
        Self { version: ordering::Version(1), ..self }
    }

    fn name(&self) -> String {
        let said = [(self.ordered_said, "Ordered said"), (self.deferred_said, "deferred")];
        let said: Vec<_> = said.into_iter().filter_map(|(is_said, what)| is_said.then_some(what)).collect();
        let state = match &self.state {
            ordering::OrderState::Rejected(ordering::Rejection::Rule(_)) => "Rejected by a rule".to_owned(),
            ordering::OrderState::Rejected(ordering::Rejection::Unavailable) => {
                "Rejected as unavailable".to_owned()
            }
            other => format!("{other:?}"),
        };
        if said.is_empty() { state } else { format!("{state} ({})", said.join(", ")) }
    }
}

impl Row for renting::Rent {
    fn version(&self) -> i64 {
        self.version.0
    }

    fn unversioned(self) -> Self {
        Self { version: renting::Version(1), ..self }
    }

    fn name(&self) -> String {
        match &self.state {
            renting::RentState::Canceled(renting::Copy::Refused(_)) => "Canceled (refused)".to_owned(),
            renting::RentState::Canceled(copy) => format!("Canceled ({copy:?})"),
            other => format!("{other:?}"),
        }
    }
}

impl Row for delivering::Delivery {
    fn version(&self) -> i64 {
        self.version.0
    }

    fn unversioned(self) -> Self {
        Self { version: delivering::Version(1), ..self }
    }

    fn name(&self) -> String {
        format!("{:?}", self.state)
    }
}

/// What order makes of an input.
#[must_use]
pub fn order(
    row: Option<&ordering::Order>,
    input: Input,
    defect: Option<Defect>,
) -> Decided<ordering::Order> {
    let at = ordering::Moment(NOW);
    let Some(order) = row else {
        let placed = (input == Input::Place).then(placed);
        return Decided { row: placed, ..Decided::nothing() };
    };
    let decision = match input {
        Input::Cancel => ordering::cancel_order(order, at).unwrap_or(ordering::Decision::Unchanged),
        Input::Answered(reply) => decide_answer(order, &answer(reply), Default::default(), at),
        Input::Silence(policy) => {
            decide_answer(order, &RentAnswer::Unavailable(String::new()), policy.into(), at)
        }
        Input::Hears(Fact::Rented) => ordering::confirm_order(order, at),
        Input::Hears(Fact::ParcelHandedOver) => ordering::on_handed_over(order, at),
        Input::Hears(Fact::CancelRejected) => ordering::on_cancel_rejected(order, at),
        Input::Hears(Fact::DeliveryCanceled) => ordering::on_delivery_canceled(order, at),
        Input::Place | Input::Confirm(_) | Input::HandOver | Input::Hears(_) => ordering::Decision::Unchanged,
    };
    let decided = match decision {
        ordering::Decision::Unchanged => Decided::nothing(),
        ordering::Decision::Changed(order, fact) => {
            let says = fact.map(|fact| match fact {
                ordering::Fact::Ordered => Fact::Ordered,
                ordering::Fact::OrderDeferred => Fact::Deferred,
                ordering::Fact::OrderRejected => Fact::Rejected,
                ordering::Fact::OrderCancelled => Fact::Cancelled,
            });
            Decided { row: Some(order), says, reply: None }
        }
    };
    match defect {
        Some(defect) => defect.in_order(order, input, decided),
        None => decided,
    }
}

fn placed() -> ordering::Order {
    ordering::place_order(ordering::Placement {
        id: ordering::OrderId(ORDER),
        item: ordering::Item::parse(ITEM).expect("an item"),
        customer: ordering::Customer::parse(CUSTOMER),
        idempotency_key: ordering::IdempotencyKey::parse("key"),
        at: ordering::Moment(NOW),
    })
}

fn answer(reply: Reply) -> RentAnswer {
    match reply {
        Reply::Confirmed => RentAnswer::Confirmed,
        Reply::Refused => RentAnswer::Refused(REASON.to_owned()),
    }
}

/// What rent makes of an input.
#[must_use]
pub fn rent(row: Option<&renting::Rent>, input: Input, defect: Option<Defect>) -> Decided<renting::Rent> {
    let at = renting::Moment(NOW);
    let request = renting::Request {
        new_id: renting::RentId(1),
        order_id: renting::OrderId(ORDER),
        customer: renting::Customer::parse(CUSTOMER),
        at,
    };
    let (decision, reply) = match input {
        Input::Confirm(rules) => match renting::confirm_rent(row, &request, &rules_that(rules)) {
            renting::Confirmation::Confirmed(decision) => (decision, Some(Reply::Confirmed)),
            renting::Confirmation::Refused(decision, _) => (decision, Some(Reply::Refused)),
        },
        Input::Hears(Fact::Cancelled) => (renting::on_order_cancelled(row, &request), None),
        Input::Hears(Fact::Rejected) => (renting::on_order_rejected(row, &request), None),
        Input::Hears(Fact::DeliveryCanceled) => (renting::on_delivery_canceled(row, at), None),
        Input::Hears(Fact::CancelRejected) => (renting::on_cancel_rejected(row, at), None),
        Input::Place
        | Input::Cancel
        | Input::Answered(_)
        | Input::Silence(_)
        | Input::HandOver
        | Input::Hears(_) => (renting::Decision::Unchanged, None),
    };
    let decided = match decision {
        renting::Decision::Unchanged => Decided { reply, ..Decided::nothing() },
        renting::Decision::Changed(rent, fact) => {
            let says = fact.map(|fact| match fact {
                renting::Fact::Rented => Fact::Rented,
                renting::Fact::RentCanceled => Fact::RentCanceled,
                renting::Fact::RentReinstated => Fact::RentReinstated,
            });
            Decided { row: Some(rent), says, reply }
        }
    };
    match defect {
        Some(defect) => defect.in_rent(row, input, decided),
        None => decided,
    }
}

/// The library's rules while they agree with the customer, or do not.
fn rules_that(agree: Reply) -> renting::Policy {
    let suspended = match agree {
        Reply::Confirmed => HashSet::new(),
        Reply::Refused => renting::Customer::parse(CUSTOMER).into_iter().collect(),
    };
    renting::Policy { suspended }
}

/// What delivery makes of an input.
#[must_use]
pub fn delivery(
    row: Option<&delivering::Delivery>,
    input: Input,
    defect: Option<Defect>,
) -> Decided<delivering::Delivery> {
    let at = delivering::Moment(NOW);
    let new_id = delivering::DeliveryId(1);
    let notice = delivering::Notice {
        order_id: delivering::OrderId(ORDER),
        customer: delivering::Customer::parse(CUSTOMER),
        at,
    };
    let decision = match input {
        Input::HandOver => delivering::hand_over(row, at).unwrap_or(delivering::Decision::Unchanged),
        Input::Hears(Fact::Ordered) => delivering::on_ordered(row, &notice),
        Input::Hears(Fact::Rented) => delivering::on_rented(row, &notice, new_id),
        Input::Hears(Fact::RentCanceled) => delivering::on_rent_canceled(row, &notice, new_id),
        Input::Place
        | Input::Cancel
        | Input::Answered(_)
        | Input::Silence(_)
        | Input::Confirm(_)
        | Input::Hears(_) => delivering::Decision::Unchanged,
    };
    let decided = match decision {
        delivering::Decision::Unchanged => Decided::nothing(),
        delivering::Decision::Changed(delivery, fact) => {
            let says = fact.map(|fact| match fact {
                delivering::Fact::ParcelPrepared => Fact::ParcelPrepared,
                delivering::Fact::ParcelHandedOver => Fact::ParcelHandedOver,
                delivering::Fact::DeliveryCanceled => Fact::DeliveryCanceled,
                delivering::Fact::CancelRejected => Fact::CancelRejected,
            });
            Decided { row: Some(delivery), says, reply: None }
        }
    };
    match defect {
        Some(defect) => defect.in_delivery(row, input, decided),
        None => decided,
    }
}

/// What an event contributes to the row of the view.
#[must_use]
pub fn contribution(fact: Fact) -> projection::OrderFact {
    projection::OrderFact {
        order_id: ORDER,
        fact,
        at: Timestamp(NOW),
        item: None,
        customer: Some(CUSTOMER.to_owned()),
        reason: None,
    }
}
