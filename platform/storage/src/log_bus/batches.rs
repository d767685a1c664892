//! Records in the file: those that are published together share a row.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use platform_event_bus::{BusError, Headers, NewRecord, Record, partition_of};
use rusqlite::{Connection, Row};

use super::unavailable;
use crate::{Sqlite, Tx, encoding};

/// Most records of a row: who wants one of them reads all of them.
const MOST: usize = 256;

/// Appends and returns the records with their places.
pub(super) fn append(
    tx: &Tx<'_>,
    topic: i64,
    partitions: u32,
    records: &[NewRecord],
) -> rusqlite::Result<Vec<Record>> {
    let mut next: i64 =
        tx.prepare("SELECT coalesce(max(last), 0) + 1 FROM batches")?.query_row([], |row| row.get(0))?;
    let now = now_millis();
    let mut ends = BTreeMap::new();
    let mut appended = Vec::with_capacity(records.len());
    let mut insert = tx.prepare(
        "INSERT INTO batches (last, first, topic, published_at, records) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for batch in records.chunks(MOST) {
        let (first, mut encoded) = (next, Vec::with_capacity(batch.len() * 512));
        for record in batch {
            let partition = match &record.key {
                Some(key) => partition_of(key, partitions),
                None => u32::try_from(next % i64::from(partitions)).unwrap_or(0),
            };
            let NewRecord { key, headers, value } = record.clone();
            let record = Record { partition, offset: next, published_at: now, key, headers, value };
            put(&mut encoded, &record);
            appended.push(record);
            next += 1;
            ends.insert(partition, next);
        }
        insert.execute((next - 1, first, topic, now, encoded))?;
    }
    let mut upsert = tx.prepare(
        r#"INSERT INTO ends (topic, "partition", "end") VALUES (?1, ?2, ?3)
           ON CONFLICT (topic, "partition") DO UPDATE SET "end" = excluded."end""#,
    )?;
    for (partition, end) in ends {
        upsert.execute((topic, partition, end))?;
    }
    Ok(appended)
}

/// At most `max` records of `topic` from `from` on and before `end`, and where to go on.
pub(super) fn read(
    store: &Sqlite,
    topic: i64,
    from: i64,
    end: i64,
    max: usize,
) -> Result<(Vec<Record>, i64), BusError> {
    let read = store.read(|connection: &Connection| {
        let mut select = connection.prepare_cached(
            "SELECT first, published_at, records FROM batches
             WHERE last >= ?1 AND topic = ?2 ORDER BY last",
        )?;
        let mut rows = select.query((from, topic))?;
        let mut records = Vec::new();
        while records.len() < max
            && let Some(row) = rows.next()?
        {
            let batch = read_batch(row)?;
            let is_beyond = batch.last().is_some_and(|last| last.offset >= end);
            records.extend(batch.into_iter().filter(|record| (from..end).contains(&record.offset)));
            if is_beyond {
                break;
            }
        }
        records.truncate(max);
        Ok(records)
    });
    let records = read.map_err(unavailable)?;
    let next = match records.last() {
        Some(last) if records.len() == max => last.offset + 1,
        _ => end,
    };
    Ok((records, next))
}

/// How many records of `topic` from `from` on there are of which `counts` is true.
pub(super) fn count(
    connection: &Connection,
    topic: i64,
    from: i64,
    counts: impl Fn(&Record) -> bool,
) -> rusqlite::Result<u64> {
    let mut select = connection.prepare_cached(
        "SELECT first, published_at, records FROM batches WHERE last >= ?1 AND topic = ?2 ORDER BY last",
    )?;
    let mut rows = select.query((from, topic))?;
    let mut n = 0;
    while let Some(row) = rows.next()? {
        n += read_batch(row)?.iter().filter(|record| counts(record)).count() as u64;
    }
    Ok(n)
}

fn put(to: &mut Vec<u8>, record: &Record) {
    encoding::put_number(to, record.partition);
    encoding::put_optional(to, record.key.as_deref());
    encoding::put(to, record.headers.as_encoded());
    encoding::put(to, &record.value);
}

fn read_batch(row: &Row<'_>) -> rusqlite::Result<Vec<Record>> {
    let (first, published_at): (i64, i64) = (row.get(0)?, row.get(1)?);
    let mut encoded = Bytes::copy_from_slice(row.get_ref(2)?.as_bytes()?);
    let mut records = Vec::new();
    for offset in first.. {
        if encoded.is_empty() {
            break;
        }
        records.push(Record {
            partition: encoding::take_number(&mut encoded)?,
            offset,
            published_at,
            key: encoding::take_optional(&mut encoded)?,
            headers: Headers::from_encoded(encoding::take(&mut encoded)?),
            value: encoding::take(&mut encoded)?,
        });
    }
    Ok(records)
}

fn now_millis() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}
