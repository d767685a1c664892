//! What every store and the topic say about one order.

use std::{
    collections::{BTreeSet, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use delivery::domain::Delivery;
use futures_util::future::try_join_all;
use mypage::projection::Row;
use order::domain::Order;
use rent::domain::{Rent, RentId};

use super::{
    Audit, AuditError,
    tally::{Tally, Topic},
};

/// Rows read from a store at once.
const BATCH: u32 = 2_000;

/// Orders that are asked about at once: a store may be far away.
const AT_ONCE: usize = 32;

/// What is known about one order.
pub(super) struct Evidence {
    pub(super) order_id: i64,
    pub(super) order: Option<Order>,
    pub(super) rent: Option<Rent>,
    pub(super) delivery: Option<Delivery>,
    pub(super) row: Option<Row>,
    pub(super) rebuilt: Option<Row>,
    pub(super) tally: Tally,
}

impl Evidence {
    /// Asks every store about one order.
    ///
    /// In the order of the process, last first: what a later service knows, the earlier ones have committed before.
    pub(super) async fn gather(audit: &Audit, topic: &Topic, order_id: i64) -> Result<Self, AuditError> {
        Ok(Self {
            order_id,
            row: audit.library.view.get(order_id).await?,
            rebuilt: audit.rebuilt.get(order_id).await?,
            delivery: audit.library.deliveries.by_order(delivery::domain::OrderId(order_id)).await?,
            rent: audit.library.rents.by_order(rent::domain::OrderId(order_id)).await?,
            order: audit.library.orders.by_id(order::domain::OrderId(order_id)).await?,
            tally: topic.of(order_id),
        })
    }

    /// A rent without an order: somebody has asked rent directly.
    pub(super) fn is_foreign(&self) -> bool {
        self.order.is_none() && self.rent.is_some()
    }
}

/// What the rows of an order are known by: where it is the same twice, none of them has changed in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    order: Option<i64>,
    rent: Option<i64>,
    delivery: Option<i64>,
    shown: Option<u64>,
}

impl Evidence {
    /// What its rows are known by.
    pub(super) fn rows(&self) -> Rows {
        Rows {
            order: self.order.as_ref().map(|order| order.version.0),
            rent: self.rent.as_ref().map(|rent| rent.version.0),
            delivery: self.delivery.as_ref().map(|delivery| delivery.version.0),
            shown: self.row.as_ref().map(|row| {
                let mut hasher = DefaultHasher::new();
                row.known().map(|at| at.map(|at| at.0)).hash(&mut hasher);
                (row.item(), row.customer(), row.reason()).hash(&mut hasher);
                hasher.finish()
            }),
        }
    }
}

/// A walk over all orders that any store or the topic knows, one by one.
pub(super) struct Walk<'a> {
    audit: &'a Audit,
    after: i64,
    ahead: VecDeque<Evidence>,
    others: Option<VecDeque<i64>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(audit: &'a Audit) -> Self {
        Self { audit, after: i64::MIN, ahead: VecDeque::new(), others: None }
    }

    /// The next order; `None` at the end.
    pub(super) async fn next(&mut self, topic: &Topic) -> Result<Option<Evidence>, AuditError> {
        if self.ahead.is_empty() && self.others.is_none() {
            self.read_orders(topic).await?;
        }
        if let Some(evidence) = self.ahead.pop_front() {
            return Ok(Some(evidence));
        }
        if self.others.is_none() {
            self.others = Some(self.without_order(topic).await?);
        }
        match self.others.as_mut().and_then(VecDeque::pop_front) {
            Some(order_id) => Ok(Some(Evidence::gather(self.audit, topic, order_id).await?)),
            None => Ok(None),
        }
    }

    async fn read_orders(&mut self, topic: &Topic) -> Result<(), AuditError> {
        let orders = self.audit.library.orders.scan(order::domain::OrderId(self.after), BATCH).await?;
        self.after = orders.last().map_or(self.after, |order| order.id.0);
        for some in orders.chunks(AT_ONCE) {
            let gathering = some.iter().map(|order| Evidence::gather(self.audit, topic, order.id.0));
            self.ahead.extend(try_join_all(gathering).await?);
        }
        Ok(())
    }

    /// Orders that order does not know and somebody else does.
    async fn without_order(&self, topic: &Topic) -> Result<VecDeque<i64>, AuditError> {
        let mut known: BTreeSet<i64> = topic.order_ids().collect();
        let mut after = RentId(i64::MIN);
        loop {
            let rents = self.audit.library.rents.scan(after, BATCH).await?;
            let Some(last) = rents.last() else { break };
            after = last.id;
            known.extend(rents.iter().map(|rent| rent.order_id.0));
        }
        let mut after = delivery::domain::OrderId(i64::MIN);
        loop {
            let deliveries = self.audit.library.deliveries.scan(after, BATCH).await?;
            let Some(last) = deliveries.last() else { break };
            after = last.order_id;
            known.extend(deliveries.iter().map(|delivery| delivery.order_id.0));
        }
        let mut after = None;
        loop {
            let rows = self.audit.library.view.scan(after, BATCH).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.order_id());
            known.extend(rows.iter().map(Row::order_id));
        }
        let mut others = VecDeque::new();
        for order_id in known {
            if self.audit.library.orders.by_id(order::domain::OrderId(order_id)).await?.is_none() {
                others.push_back(order_id);
            }
        }
        Ok(others)
    }
}
