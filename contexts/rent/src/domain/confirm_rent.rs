//! Confirm: bind a copy to an order, or refuse and remember it.

use std::collections::HashSet;

use super::rent::{Copy, Customer, Decision, Fact, Rent, RentState, Request};

/// What the library has set for its rules.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Customers who may not borrow at present.
    pub suspended: HashSet<Customer>,
}

/// Why a rule refuses, in a sentence for the customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

/// A rule of confirming. All rules have this signature; the first that refuses wins.
pub type Rule = fn(&Request, &Policy) -> Result<(), Refusal>;

/// The rules, in the order in which they are asked.
pub const RULES: &[Rule] = &[NOT_SUSPENDED];

/// A suspended customer borrows nothing. An order without a customer is nobody's and passes.
const NOT_SUSPENDED: Rule = |request, policy| match &request.customer {
    Some(customer) if policy.suspended.contains(customer) => {
        Err(Refusal("this customer may not borrow at present; ask the library's desk".to_owned()))
    }
    Some(_) | None => Ok(()),
};

/// The answer to a confirm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// The order has its rent: a new one, or the one of an earlier call.
    Confirmed(Decision),
    /// The order gets none, now and on every repeat.
    Refused(Decision, Refusal),
}

/// Confirms an order: idempotent by order id.
#[must_use]
pub fn confirm_rent(rent: Option<&Rent>, request: &Request, policy: &Policy) -> Confirmation {
    let Some(rent) = rent else { return decide_new(request, policy) };
    match &rent.state {
        RentState::Rented | RentState::WithCourier => Confirmation::Confirmed(Decision::Unchanged),
        RentState::Canceled(Copy::Refused(reason)) => {
            Confirmation::Refused(Decision::Unchanged, Refusal(reason.clone()))
        }
        RentState::Canceled(Copy::Tombstone | Copy::Bound | Copy::Free) => {
            Confirmation::Refused(Decision::Unchanged, Refusal("this order was cancelled".to_owned()))
        }
    }
}

fn decide_new(request: &Request, policy: &Policy) -> Confirmation {
    match RULES.iter().try_for_each(|rule| rule(request, policy)) {
        Ok(()) => {
            let rent = Rent::begin(request, RentState::Rented);
            Confirmation::Confirmed(Decision::Changed(rent, Some(Fact::Rented)))
        }
        Err(refusal) => {
            let remembered = Rent::begin(request, RentState::Canceled(Copy::Refused(refusal.0.clone())));
            Confirmation::Refused(Decision::Changed(remembered, None), refusal)
        }
    }
}
