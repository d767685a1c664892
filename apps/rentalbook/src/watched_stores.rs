//! The stores as their services use them: how long writes take is noted, and in a drill they are slow or fail.

use std::sync::Arc;

use async_trait::async_trait;
use delivery::{
    application::ports::{self as of_delivery, DeliveryStore},
    domain::{Delivery, DeliveryId, OrderId as ItsOrder},
};
use order::{
    application::ports::{self as of_order, OrderStore},
    domain::{IdempotencyKey, Order, OrderId},
};
use rent::{
    application::ports::{self as of_rent, RentStore},
    domain::{OrderId as RentedOrder, Rent, RentId},
};

use platform_resilience::Pressure;
use tokio::time::Instant;

use crate::faults::{Faults, Line};

/// Most changes that one request makes: rent takes so many orders with one.
const MOST_OF_A_REQUEST: usize = 64;

/// A store whose writes are watched. Reads pass as they are.
pub(crate) struct WatchedStore<S: ?Sized> {
    store: Arc<S>,
    pressure: Pressure,
    faults: Option<Faults>,
    line: Line,
}

impl<S: ?Sized> WatchedStore<S> {
    pub(crate) fn new(store: Arc<S>, pressure: Pressure, faults: Option<Faults>) -> Self {
        Self { store, pressure, faults, line: Line::default() }
    }

    async fn write<T, E>(
        &self,
        changes: usize,
        unavailable: impl FnOnce(String) -> E,
        writing: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let begun = Instant::now();
        if let Some(faults) = &self.faults {
            faults.pass_store(&self.line, changes).await.map_err(unavailable)?;
        }
        let written = writing.await?;
        // More changes at once are no request's, and take as long as they take.
        if changes <= MOST_OF_A_REQUEST {
            self.pressure.note_write(begun.elapsed());
        }
        Ok(written)
    }
}

#[async_trait]
impl OrderStore for WatchedStore<dyn OrderStore> {
    async fn next_id(&self) -> Result<OrderId, of_order::Unavailable> {
        self.store.next_id().await
    }

    async fn by_id(&self, id: OrderId) -> Result<Option<Order>, of_order::Unavailable> {
        self.store.by_id(id).await
    }

    async fn by_key(&self, key: &IdempotencyKey) -> Result<Option<Order>, of_order::Unavailable> {
        self.store.by_key(key).await
    }

    async fn by_ids(&self, ids: &[OrderId]) -> Result<Vec<Order>, of_order::Unavailable> {
        self.store.by_ids(ids).await
    }

    async fn save_all(
        &self,
        changes: Vec<of_order::Save>,
    ) -> Result<Vec<Result<(), of_order::Conflict>>, of_order::Unavailable> {
        self.write(changes.len(), of_order::Unavailable::Away, self.store.save_all(changes)).await
    }

    fn pending(&self) -> u64 {
        self.store.pending()
    }

    async fn due(&self, due: of_order::Due) -> Result<Vec<Order>, of_order::Unavailable> {
        self.store.due(due).await
    }

    async fn page(&self, query: of_order::PageQuery) -> Result<(Vec<Order>, u64), of_order::PageError> {
        self.store.page(query).await
    }

    async fn scan(&self, after: OrderId, limit: u32) -> Result<Vec<Order>, of_order::Unavailable> {
        self.store.scan(after, limit).await
    }
}

#[async_trait]
impl RentStore for WatchedStore<dyn RentStore> {
    async fn next_id(&self) -> Result<RentId, of_rent::Unavailable> {
        self.store.next_id().await
    }

    async fn by_id(&self, id: RentId) -> Result<Option<Rent>, of_rent::Unavailable> {
        self.store.by_id(id).await
    }

    async fn by_order(&self, order_id: RentedOrder) -> Result<Option<Rent>, of_rent::Unavailable> {
        self.store.by_order(order_id).await
    }

    async fn by_orders(&self, orders: &[RentedOrder]) -> Result<Vec<Rent>, of_rent::Unavailable> {
        self.store.by_orders(orders).await
    }

    async fn save_all(
        &self,
        changes: Vec<of_rent::Save>,
    ) -> Result<Vec<Result<(), of_rent::Conflict>>, of_rent::Unavailable> {
        self.write(changes.len(), of_rent::Unavailable::Away, self.store.save_all(changes)).await
    }

    async fn page(&self, query: of_rent::PageQuery) -> Result<(Vec<Rent>, u64), of_rent::PageError> {
        self.store.page(query).await
    }

    async fn scan(&self, after: RentId, limit: u32) -> Result<Vec<Rent>, of_rent::Unavailable> {
        self.store.scan(after, limit).await
    }
}

#[async_trait]
impl DeliveryStore for WatchedStore<dyn DeliveryStore> {
    async fn next_id(&self) -> Result<DeliveryId, of_delivery::Unavailable> {
        self.store.next_id().await
    }

    async fn by_id(&self, id: DeliveryId) -> Result<Option<Delivery>, of_delivery::Unavailable> {
        self.store.by_id(id).await
    }

    async fn by_order(&self, order_id: ItsOrder) -> Result<Option<Delivery>, of_delivery::Unavailable> {
        self.store.by_order(order_id).await
    }

    async fn by_orders(&self, orders: &[ItsOrder]) -> Result<Vec<Delivery>, of_delivery::Unavailable> {
        self.store.by_orders(orders).await
    }

    async fn save_all(
        &self,
        changes: Vec<of_delivery::Save>,
    ) -> Result<Vec<Result<(), of_delivery::Conflict>>, of_delivery::Unavailable> {
        self.write(changes.len(), of_delivery::Unavailable::Away, self.store.save_all(changes)).await
    }

    async fn page(
        &self,
        query: of_delivery::PageQuery,
    ) -> Result<(Vec<Delivery>, u64), of_delivery::PageError> {
        self.store.page(query).await
    }

    async fn scan(&self, after: ItsOrder, limit: u32) -> Result<Vec<Delivery>, of_delivery::Unavailable> {
        self.store.scan(after, limit).await
    }
}
