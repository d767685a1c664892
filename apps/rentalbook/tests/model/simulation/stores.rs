//! The real stores behind ports that fail, are late, or see their process die.

use std::sync::Arc;

use async_trait::async_trait;
use delivery::{
    application::ports::{self as of_delivery, DeliveryStore},
    domain::{Delivery, DeliveryId, OrderId as ItsOrder},
};
use mypage::{
    projection::{OrderFact, Row},
    query::{self, Page, Rebuild, View},
};
use order::{
    application::ports::{self as of_order, OrderStore},
    domain::{IdempotencyKey, Order, OrderId},
};
use parking_lot::Mutex;
use rent::{
    application::ports::{self as of_rent, RentStore},
    domain::{OrderId as RentedOrder, Rent, RentId},
};
use tokio::sync::Notify;

use super::{
    Defect,
    fate::{Failed, Life, Port},
};

/// What a process holds of its files, until it dies. Clones hold the same.
pub(super) struct Kept<T: ?Sized>(Arc<Mutex<Option<Arc<T>>>>);

impl<T: ?Sized> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ?Sized> Kept<T> {
    pub(super) fn new(kept: Arc<T>) -> Self {
        Self(Arc::new(Mutex::new(Some(kept))))
    }

    pub(super) fn get(&self) -> Arc<T> {
        self.0.lock().clone().expect("only who lives uses it")
    }

    pub(super) fn close(&self) {
        self.0.lock().take();
    }
}

/// A store of a process.
pub(super) struct Faulty<T: ?Sized> {
    pub(super) life: Life,
    pub(super) kept: Kept<T>,
    /// Told after each write.
    pub(super) written: Arc<Notify>,
}

impl<T: ?Sized + Send + Sync + 'static> Faulty<T> {
    /// As a real store's: what was asked of it goes on when nobody waits for it any more.
    async fn ask<R, E, W>(
        &self,
        what: &'static str,
        unavailable: fn(String) -> E,
        ask: impl FnOnce(Arc<T>) -> W + Send + 'static,
    ) -> Result<R, E>
    where
        R: Send + 'static,
        E: Send + 'static,
        W: Future<Output = Result<R, E>> + Send + 'static,
    {
        let (life, kept, written) = (self.life.clone(), self.kept.clone(), Arc::clone(&self.written));
        let asked = async move {
            let work = || {
                let work = ask(kept.get());
                async move {
                    let done = work.await;
                    written.notify_waiters();
                    done
                }
            };
            life.step(Port::Store, what, Failed::Undone, unavailable, work).await
        };
        tokio::spawn(asked).await.expect("it ends, or the story does")
    }
}

#[async_trait]
impl OrderStore for Faulty<dyn OrderStore> {
    async fn next_id(&self) -> Result<OrderId, of_order::Unavailable> {
        self.ask("next id", of_order::Unavailable::Away, |store| async move { store.next_id().await }).await
    }

    async fn by_id(&self, id: OrderId) -> Result<Option<Order>, of_order::Unavailable> {
        self.ask(
            "order by id",
            of_order::Unavailable::Away,
            move |store| async move { store.by_id(id).await },
        )
        .await
    }

    async fn by_key(&self, key: &IdempotencyKey) -> Result<Option<Order>, of_order::Unavailable> {
        if self.life.fate.has(Defect::ForgetsKeys) {
            return Ok(None);
        }
        let key = key.clone();
        self.ask(
            "order by key",
            of_order::Unavailable::Away,
            move |store| async move { store.by_key(&key).await },
        )
        .await
    }

    async fn by_ids(&self, ids: &[OrderId]) -> Result<Vec<Order>, of_order::Unavailable> {
        let ids = ids.to_vec();
        self.ask(
            "orders by id",
            of_order::Unavailable::Away,
            move |store| async move { store.by_ids(&ids).await },
        )
        .await
    }

    async fn save_all(
        &self,
        mut changes: Vec<of_order::Save>,
    ) -> Result<Vec<Result<(), of_order::Conflict>>, of_order::Unavailable> {
        let (forgets, overwrites) =
            (self.life.fate.has(Defect::ForgetsKeys), self.life.fate.has(Defect::Overwrites));
        for change in &mut changes {
            // When what waits for no disk is published follows from the disk and not from the seed.
            change.redoable = false;
            if forgets {
                change.order.idempotency_key = None;
            }
        }
        let save = move |store: Arc<dyn OrderStore>| async move {
            if overwrites {
                for change in changes.iter_mut().filter(|change| change.expected.is_some()) {
                    change.expected = store.by_id(change.order.id).await?.map(|order| order.version);
                }
            }
            store.save_all(changes).await
        };
        self.ask("save orders", of_order::Unavailable::Away, save).await
    }

    fn pending(&self) -> u64 {
        self.kept.get().pending()
    }

    async fn due(&self, due: of_order::Due) -> Result<Vec<Order>, of_order::Unavailable> {
        self.ask("orders due", of_order::Unavailable::Away, move |store| async move { store.due(due).await })
            .await
    }

    async fn page(&self, _: of_order::PageQuery) -> Result<(Vec<Order>, u64), of_order::PageError> {
        unreachable!("nobody looks at pages here")
    }

    async fn scan(&self, after: OrderId, limit: u32) -> Result<Vec<Order>, of_order::Unavailable> {
        self.ask(
            "orders",
            of_order::Unavailable::Away,
            move |store| async move { store.scan(after, limit).await },
        )
        .await
    }
}

#[async_trait]
impl RentStore for Faulty<dyn RentStore> {
    async fn next_id(&self) -> Result<RentId, of_rent::Unavailable> {
        self.ask("next id", of_rent::Unavailable::Away, |store| async move { store.next_id().await }).await
    }

    async fn by_id(&self, id: RentId) -> Result<Option<Rent>, of_rent::Unavailable> {
        self.ask("rent by id", of_rent::Unavailable::Away, move |store| async move { store.by_id(id).await })
            .await
    }

    async fn by_order(&self, order_id: RentedOrder) -> Result<Option<Rent>, of_rent::Unavailable> {
        let ask = move |store: Arc<dyn RentStore>| async move { store.by_order(order_id).await };
        self.ask("rent by order", of_rent::Unavailable::Away, ask).await
    }

    async fn by_orders(&self, orders: &[RentedOrder]) -> Result<Vec<Rent>, of_rent::Unavailable> {
        let orders = orders.to_vec();
        let ask = move |store: Arc<dyn RentStore>| async move { store.by_orders(&orders).await };
        self.ask("rents by order", of_rent::Unavailable::Away, ask).await
    }

    async fn save_all(
        &self,
        mut changes: Vec<of_rent::Save>,
    ) -> Result<Vec<Result<(), of_rent::Conflict>>, of_rent::Unavailable> {
        if self.life.fate.has(Defect::SavesInSilence) {
            changes
                .iter_mut()
                .filter(|change| change.expected.is_some())
                .for_each(|change| change.facts.clear());
        }
        let save = move |store: Arc<dyn RentStore>| async move { store.save_all(changes).await };
        self.ask("save rents", of_rent::Unavailable::Away, save).await
    }

    async fn page(&self, _: of_rent::PageQuery) -> Result<(Vec<Rent>, u64), of_rent::PageError> {
        unreachable!("nobody looks at pages here")
    }

    async fn scan(&self, after: RentId, limit: u32) -> Result<Vec<Rent>, of_rent::Unavailable> {
        self.ask(
            "rents",
            of_rent::Unavailable::Away,
            move |store| async move { store.scan(after, limit).await },
        )
        .await
    }
}

#[async_trait]
impl DeliveryStore for Faulty<dyn DeliveryStore> {
    async fn next_id(&self) -> Result<DeliveryId, of_delivery::Unavailable> {
        self.ask("next id", of_delivery::Unavailable::Away, |store| async move { store.next_id().await })
            .await
    }

    async fn by_id(&self, id: DeliveryId) -> Result<Option<Delivery>, of_delivery::Unavailable> {
        self.ask(
            "parcel by id",
            of_delivery::Unavailable::Away,
            move |store| async move { store.by_id(id).await },
        )
        .await
    }

    async fn by_order(&self, order_id: ItsOrder) -> Result<Option<Delivery>, of_delivery::Unavailable> {
        let ask = move |store: Arc<dyn DeliveryStore>| async move { store.by_order(order_id).await };
        self.ask("parcel by order", of_delivery::Unavailable::Away, ask).await
    }

    async fn by_orders(&self, orders: &[ItsOrder]) -> Result<Vec<Delivery>, of_delivery::Unavailable> {
        let orders = orders.to_vec();
        let ask = move |store: Arc<dyn DeliveryStore>| async move { store.by_orders(&orders).await };
        self.ask("parcels by order", of_delivery::Unavailable::Away, ask).await
    }

    async fn save_all(
        &self,
        changes: Vec<of_delivery::Save>,
    ) -> Result<Vec<Result<(), of_delivery::Conflict>>, of_delivery::Unavailable> {
        let save = move |store: Arc<dyn DeliveryStore>| async move { store.save_all(changes).await };
        self.ask("save parcels", of_delivery::Unavailable::Away, save).await
    }

    async fn page(&self, _: of_delivery::PageQuery) -> Result<(Vec<Delivery>, u64), of_delivery::PageError> {
        unreachable!("nobody looks at pages here")
    }

    async fn scan(&self, after: ItsOrder, limit: u32) -> Result<Vec<Delivery>, of_delivery::Unavailable> {
        let ask = move |store: Arc<dyn DeliveryStore>| async move { store.scan(after, limit).await };
        self.ask("parcels", of_delivery::Unavailable::Away, ask).await
    }
}

#[async_trait]
impl View for Faulty<dyn View> {
    async fn apply(&self, facts: Vec<OrderFact>) -> Result<(), query::Unavailable> {
        self.ask("show", query::Unavailable, move |view| async move { view.apply(facts).await }).await
    }

    async fn settle(&self) -> Result<(), query::Unavailable> {
        self.ask("settle", query::Unavailable, |view| async move { view.settle().await }).await
    }

    async fn get(&self, order_id: i64) -> Result<Option<Row>, query::Unavailable> {
        self.ask("look", query::Unavailable, move |view| async move { view.get(order_id).await }).await
    }

    async fn page(&self, _: query::PageQuery) -> Result<Page, query::PageError> {
        unreachable!("nobody looks at pages here")
    }

    async fn find_by_customer(&self, _: &str, _: u64, _: u32) -> Result<Page, query::PageError> {
        unreachable!("nobody looks at pages here")
    }

    async fn scan(&self, after: Option<i64>, limit: u32) -> Result<Vec<Row>, query::Unavailable> {
        self.ask("rows", query::Unavailable, move |view| async move { view.scan(after, limit).await }).await
    }

    async fn total(&self) -> Result<u64, query::Unavailable> {
        self.ask("total", query::Unavailable, |view| async move { view.total().await }).await
    }

    async fn ready(&self) -> Result<(), query::Unavailable> {
        self.ask("ready", query::Unavailable, |view| async move { view.ready().await }).await
    }

    async fn is_complete(&self) -> Result<bool, query::Unavailable> {
        self.ask("complete?", query::Unavailable, |view| async move { view.is_complete().await }).await
    }

    async fn mark_complete(&self) -> Result<(), query::Unavailable> {
        self.ask("complete", query::Unavailable, |view| async move { view.mark_complete().await }).await
    }

    async fn begin_rebuild(&self) -> Result<Box<dyn Rebuild>, query::Unavailable> {
        self.ask("rebuild", query::Unavailable, |view| async move { view.begin_rebuild().await }).await
    }
}
