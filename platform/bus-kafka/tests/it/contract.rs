use std::sync::Arc;

use platform_event_bus::{EventBus, contract};

use crate::a_bus;

#[tokio::test(flavor = "multi_thread")]
async fn kafka_keeps_the_contract_of_the_bus() {
    contract::run(async || Arc::new(a_bus()) as Arc<dyn EventBus>).await;
}
