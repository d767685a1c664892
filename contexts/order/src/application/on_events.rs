//! What the events of rent and delivery do to orders.
//!
//! One file for the four reactions: they are loaded, decided and saved together, as one batch. What each of them
//! decides is a file of its own in `domain/`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Orders,
    ports::{Said, Save, Unavailable},
};
use crate::domain::{
    Decision, Order, OrderId, OrderState, confirm_order, on_cancel_rejected, on_delivery_canceled,
    on_handed_over,
};

/// An event that concerns order.
#[derive(Clone, Debug)]
pub struct Reaction {
    /// The order that it is about.
    pub order_id: OrderId,
    /// What has happened.
    pub kind: ReactionKind,
    /// The request that caused it.
    pub correlation_id: Option<Arc<str>>,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReactionKind {
    /// A copy is bound to the order.
    Rented,
    /// The courier has the parcel.
    HandedOver,
    /// The courier was faster than the cancellation.
    CancelRejected,
    /// There will be no parcel.
    DeliveryCanceled,
}

/// An order in the course of a batch.
struct InBatch {
    read: Order,
    order: Order,
    facts: Vec<Said>,
}

impl Orders {
    /// Applies events, in their order, in one transaction; those whose order somebody else changed meanwhile again.
    /// Events of orders that do not exist here (of foreign rents) change nothing.
    pub async fn on_events(&self, mut reactions: Vec<Reaction>) -> Result<(), Unavailable> {
        while !reactions.is_empty() {
            let lost = self.react_once(&reactions).await?;
            reactions.retain(|reaction| lost.contains(&reaction.order_id));
        }
        Ok(())
    }

    /// Returns the orders that were changed by somebody else.
    async fn react_once(&self, reactions: &[Reaction]) -> Result<Vec<OrderId>, Unavailable> {
        let ids: BTreeSet<_> = reactions.iter().map(|reaction| reaction.order_id).collect();
        let ids: Vec<_> = ids.into_iter().collect();
        let found = self.store.by_ids(&ids).await?;
        // By order id, so that two who save the same orders take them in the same sequence.
        let mut batch: BTreeMap<_, _> = found
            .into_iter()
            .map(|order| (order.id, InBatch { read: order.clone(), order, facts: Vec::new() }))
            .collect();
        for reaction in reactions {
            if let Some(entry) = batch.get_mut(&reaction.order_id) {
                self.decide(entry, reaction);
            }
        }
        let changes: Vec<_> = batch
            .into_values()
            .filter(|entry| entry.order.version != entry.read.version)
            .map(|InBatch { read, order, facts }| Save {
                expected: Some(read.version),
                was_pending: read.state == OrderState::Pending,
                pending_below: None,
                order,
                facts,
                revocation: None,
                redoable: false,
            })
            .collect();
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<_> = changes.iter().map(|change| change.order.id).collect();
        let results = self.store.save_all(changes).await?;
        Ok(ids.into_iter().zip(results).filter(|(_, result)| result.is_err()).map(|(id, _)| id).collect())
    }

    fn decide(&self, entry: &mut InBatch, reaction: &Reaction) {
        let (order, at) = (&entry.order, self.clock.now());
        let decision = match reaction.kind {
            ReactionKind::Rented => confirm_order(order, at),
            ReactionKind::HandedOver => on_handed_over(order, at),
            ReactionKind::CancelRejected => on_cancel_rejected(order, at),
            ReactionKind::DeliveryCanceled => on_delivery_canceled(order, at),
        };
        if let Decision::Changed(order, fact) = decision {
            let correlation_id = reaction.correlation_id.clone();
            entry.facts.extend(fact.map(|fact| Said { fact, version: order.version, at, correlation_id }));
            entry.order = order;
        }
    }
}
