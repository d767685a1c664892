//! The bus, with faults.

use std::sync::Arc;

use async_trait::async_trait;
use platform_event_bus::{BusError, EventBus, GroupPosition, NewRecord, Record, Replay, Subscription};

use super::Faults;

/// An [`EventBus`] that takes its time.
pub(crate) struct FaultyBus {
    pub(crate) bus: Arc<dyn EventBus>,
    pub(crate) faults: Faults,
}

struct FaultySubscription {
    subscription: Box<dyn Subscription>,
    faults: Faults,
}

#[async_trait]
impl EventBus for FaultyBus {
    async fn publish(&self, topic: &str, records: Vec<NewRecord>) -> Result<(), BusError> {
        self.faults.pass_bus().await;
        self.bus.publish(topic, records).await
    }

    async fn subscribe(&self, topic: &str, group: &str) -> Result<Box<dyn Subscription>, BusError> {
        let subscription = self.bus.subscribe(topic, group).await?;
        Ok(Box::new(FaultySubscription { subscription, faults: self.faults.clone() }))
    }

    async fn replay(&self, topic: &str) -> Result<Box<dyn Replay>, BusError> {
        self.bus.replay(topic).await
    }

    async fn positions(&self, topic: &str, group: &str) -> Result<Vec<GroupPosition>, BusError> {
        self.bus.positions(topic, group).await
    }

    async fn lag(&self, topic: &str, group: &str) -> Result<u64, BusError> {
        self.bus.lag(topic, group).await
    }
}

#[async_trait]
impl Subscription for FaultySubscription {
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, BusError> {
        self.faults.pass_bus().await;
        self.subscription.next(max).await
    }

    async fn commit(&mut self) -> Result<(), BusError> {
        self.subscription.commit().await
    }
}
