//! Records as Kafka has them and as the port has them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use platform_event_bus::{Headers, NewRecord, Record};
use rdkafka::{
    Message as _,
    message::{BorrowedMessage, Header, Headers as _, OwnedHeaders},
};
use tracing::warn;

/// The record of a message. A value that is none becomes an empty one.
pub(crate) fn read(message: &BorrowedMessage<'_>) -> Record {
    Record {
        partition: u32::try_from(message.partition()).unwrap_or_default(),
        offset: message.offset(),
        published_at: message.timestamp().to_millis().unwrap_or_default(),
        key: message.key().map(Bytes::copy_from_slice),
        headers: read_headers(message),
        value: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
    }
}

fn read_headers(message: &BorrowedMessage<'_>) -> Headers {
    let Some(headers) = message.headers() else { return Headers::default() };
    let header = |at| {
        // rdkafka panics where a name is no text. No client should write such a one; that one did would stop the
        // partition for ever.
        catch_unwind(AssertUnwindSafe(|| headers.try_get(at))).unwrap_or_else(|_| {
            let (partition, offset) = (message.partition(), message.offset());
            warn!(partition, offset, "a header whose name is no text is left out");
            None
        })
    };
    let found = (0..headers.count()).filter_map(header);
    Headers::new(found.map(|header| (header.key, header.value.unwrap_or_default())))
}

/// The headers of a new record; one whose name is no text is left out, since no client could read it.
pub(crate) fn write_headers(record: &NewRecord) -> OwnedHeaders {
    record
        .headers
        .iter()
        .filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, value)))
        .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
}
