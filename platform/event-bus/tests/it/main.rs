//! The fake keeps the contract; the consumer's loop pauses, isolates and sets aside.

mod consumer;
mod dead_letters;

use std::sync::Arc;

use platform_event_bus::{EventBus, contract, memory::MemoryBus};

#[tokio::test]
async fn the_fake_keeps_the_contract() {
    let bus = MemoryBus::default();
    contract::run(async || Arc::new(bus.clone()) as Arc<dyn EventBus>).await;
}
