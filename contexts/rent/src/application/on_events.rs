//! What the events of order and delivery do to rents.
//!
//! One file for the four reactions: they are loaded, decided and saved together, as one batch. What each of them
//! decides is a file of its own in `domain/`.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Rents,
    ports::{Said, Save, Unavailable},
};
use crate::domain::{
    Customer, Decision, OrderId, Rent, Request, Version, on_cancel_rejected, on_delivery_canceled,
    on_order_cancelled, on_order_rejected,
};

/// An event that concerns rent.
#[derive(Clone, Debug)]
pub struct Reaction {
    /// The order that it is about.
    pub order_id: OrderId,
    /// Whose order it is, where the event says so.
    pub customer: Option<Customer>,
    /// What has happened.
    pub kind: ReactionKind,
    /// The request that caused it.
    pub correlation_id: Option<Arc<str>>,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReactionKind {
    /// The customer has cancelled.
    OrderCancelled,
    /// Order has refused the request for good.
    OrderRejected,
    /// There will be no parcel.
    DeliveryCanceled,
    /// The courier has the parcel.
    CancelRejected,
}

/// A rent in the course of a batch.
struct InBatch {
    expected: Option<Version>,
    rent: Option<Rent>,
    facts: Vec<Said>,
}

impl Rents {
    /// Applies events, in their order, in one transaction; those whose rent somebody else changed meanwhile again.
    pub async fn on_events(&self, mut reactions: Vec<Reaction>) -> Result<(), Unavailable> {
        while !reactions.is_empty() {
            let lost = self.react_once(&reactions).await?;
            reactions.retain(|reaction| lost.contains(&reaction.order_id));
        }
        Ok(())
    }

    /// Returns the orders whose rent was changed by somebody else.
    async fn react_once(&self, reactions: &[Reaction]) -> Result<Vec<OrderId>, Unavailable> {
        let mut batch = self.load(reactions).await?;
        for reaction in reactions {
            if let Some(entry) = batch.get_mut(&reaction.order_id) {
                self.decide(entry, reaction).await?;
            }
        }
        let changes: Vec<_> = batch
            .into_values()
            .filter_map(|InBatch { expected, rent, facts }| Some((expected, rent?, facts)))
            .filter(|(expected, rent, _)| *expected != Some(rent.version))
            .map(|(expected, rent, facts)| Save { expected, rent, facts })
            .collect();
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let orders: Vec<_> = changes.iter().map(|change| change.rent.order_id).collect();
        let results = self.store.save_all(changes).await?;
        Ok(orders
            .into_iter()
            .zip(results)
            .filter(|(_, result)| result.is_err())
            .map(|(order, _)| order)
            .collect())
    }

    async fn load(&self, reactions: &[Reaction]) -> Result<BTreeMap<OrderId, InBatch>, Unavailable> {
        let unknown = || InBatch { expected: None, rent: None, facts: Vec::new() };
        // By order id, so that two who save the same orders take them in the same sequence.
        let mut batch: BTreeMap<_, _> =
            reactions.iter().map(|reaction| (reaction.order_id, unknown())).collect();
        let orders: Vec<_> = batch.keys().copied().collect();
        for rent in self.store.by_orders(&orders).await? {
            let known = InBatch { expected: Some(rent.version), facts: Vec::new(), rent: Some(rent) };
            if let Some(entry) = known.rent.as_ref().and_then(|rent| batch.get_mut(&rent.order_id)) {
                *entry = known;
            }
        }
        Ok(batch)
    }

    async fn decide(&self, entry: &mut InBatch, reaction: &Reaction) -> Result<(), Unavailable> {
        let rent = entry.rent.as_ref();
        let at = self.clock.now();
        let decision = match reaction.kind {
            ReactionKind::OrderCancelled => on_order_cancelled(rent, &self.request(rent, reaction).await?),
            ReactionKind::OrderRejected => on_order_rejected(rent, &self.request(rent, reaction).await?),
            ReactionKind::DeliveryCanceled => on_delivery_canceled(rent, at),
            ReactionKind::CancelRejected => on_cancel_rejected(rent, at),
        };
        if let Decision::Changed(rent, fact) = decision {
            let correlation_id = reaction.correlation_id.clone();
            let said =
                fact.map(|fact| Said { fact, version: rent.version, at: rent.changed_at, correlation_id });
            entry.facts.extend(said);
            entry.rent = Some(rent);
        }
        Ok(())
    }

    async fn request(&self, rent: Option<&Rent>, reaction: &Reaction) -> Result<Request, Unavailable> {
        let new_id = match rent {
            Some(rent) => rent.id,
            None => self.store.next_id().await?,
        };
        let (order_id, customer) = (reaction.order_id, reaction.customer.clone());
        Ok(Request { new_id, order_id, customer, at: self.clock.now() })
    }
}
