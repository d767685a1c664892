//! The end of the log, in memory.

use std::collections::BTreeMap;

use platform_event_bus::Record;

/// The last records, in memory: four groups read every record soon after it was appended, and need not fetch it
/// from the file each.
#[derive(Default)]
pub(super) struct Tail(BTreeMap<i64, (i64, Record)>);

/// Records in the tail: some MiB.
const TAIL: usize = 8192;

impl Tail {
    pub(super) fn extend(&mut self, topic: i64, appended: Vec<Record>) {
        self.0.extend(appended.into_iter().map(|record| (record.offset, (topic, record))));
        while self.0.len() > TAIL {
            self.0.pop_first();
        }
    }

    /// Like [`super::batches::read`], but `None` where the tail does not reach back to `from`. Offsets over all topics have no
    /// gaps, so one that is missing was appended by somebody who has not got to extending the tail yet.
    pub(super) fn read(&self, topic: i64, from: i64, end: i64, max: usize) -> Option<(Vec<Record>, i64)> {
        let (mut records, mut next) = (Vec::new(), from);
        for (offset, (of_topic, record)) in self.0.range(from..end) {
            if *offset != next || records.len() == max {
                break;
            }
            next += 1;
            if *of_topic == topic {
                records.push(record.clone());
            }
        }
        (next > from).then_some((records, next))
    }
}
