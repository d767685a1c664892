//! A record of the topic, as what it contributes to the view.

use contracts::{DecodeError, HEADER_EVENT_TYPE, TOPIC, Timestamp, decode, may_concern};
use platform_event_bus::Record;

use crate::projection::{Fact, OrderFact};

/// What `record` contributes; `None` for what is not ours. Every event type we know concerns the view.
pub fn fact_in(record: &Record) -> Result<Option<OrderFact>, DecodeError> {
    let types = Fact::ALL.map(|fact| fact.said_by().0);
    if !may_concern(record.headers.text(HEADER_EVENT_TYPE), &types) {
        return Ok(None);
    }
    let place = || format!("{TOPIC}-{}-{}", record.partition, record.offset);
    let event = decode(&record.value, place)?;
    Ok(event.map(|event| OrderFact::from_event(event, Timestamp(record.published_at))))
}
