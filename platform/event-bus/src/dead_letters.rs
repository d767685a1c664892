//! Dead letters: records that can never succeed, kept on a topic of their own until somebody decides.
//!
//! They are records of the topic `<topic>.dlq`, with the original key, headers and value and further headers
//! that say why, where from and how often. Deciding (replay, drop) appends a record that settles the letter, so
//! that the same code serves every bus: nothing is ever changed in place.
//!
//! A letter is larger than its record, and some records are as large as the bus takes them. Such a letter is written
//! without the value, for the partition must not stop for it: where the record is, it says all the same.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use bytes::Bytes;

use crate::{BusError, EventBus, Headers, NewRecord, Record};

const REASON: &str = "dlq-reason";
const GROUP: &str = "dlq-group";
const PARTITION: &str = "dlq-partition";
const OFFSET: &str = "dlq-offset";
const ATTEMPTS: &str = "dlq-attempts";
const SETTLES: &str = "dlq-settles";
const SETTLED_HOW: &str = "dlq-settled-how";
/// How many bytes the value has, where it was too large for the letter.
const LEFT_OUT: &str = "dlq-value-left-out";
const OURS: &str = "dlq-";
/// What all topics of dead letters end with.
const ENDING: &str = ".dlq";

/// Most bytes of a reason in a letter whose record was too large for it.
const SHORT: usize = 1_000;

/// Names a dead letter: partition and offset on the topic of dead letters, written `3-17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeadLetterId {
    partition: u32,
    offset: i64,
}

impl fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.partition, self.offset)
    }
}

impl FromStr for DeadLetterId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split_once('-')
            .and_then(|(partition, offset)| {
                Some(Self { partition: partition.parse().ok()?, offset: offset.parse().ok()? })
            })
            .ok_or_else(|| {
                format!("\"{text}\" is not the id of a dead letter; `dlq list` shows them, such as 3-17")
            })
    }
}

/// A record that a group could not handle.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Its name for `dlq show`, `replay` and `drop`.
    pub id: DeadLetterId,
    /// Why it can never succeed.
    pub reason: String,
    /// The group that could not handle it.
    pub group: String,
    /// Where it was: partition and offset.
    pub source: (u32, i64),
    /// How often it was tried.
    pub attempts: u32,
    /// When it was set aside, milliseconds since 1970 UTC.
    pub set_aside_at: i64,
    /// How many bytes the value of the record has that was too large for a letter; the letter has none of it then.
    pub left_out: Option<u64>,
    /// The record as it was, without the headers that were added for the letter.
    pub record: NewRecord,
}

/// Why a dead letter could not be settled.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// There is no such letter, or it was settled before.
    #[error("there is no open dead letter {0}; `dlq list` shows the open ones")]
    Unknown(DeadLetterId),
    /// There is nothing that could be published again.
    #[error(
        "the dead letter {id} is without its record, which was too large for it: it cannot be replayed. The record is \
         still at offset {} of partition {} of the topic; `dlq drop {id}` settles the letter", place.1, place.0
    )]
    LeftOut {
        /// The letter.
        id: DeadLetterId,
        /// Where its record is: partition and offset.
        place: (u32, i64),
    },
    /// The bus is away.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// The dead letters of one topic.
pub struct DeadLetters {
    bus: Arc<dyn EventBus>,
    topic: String,
    dead_topic: String,
}

impl DeadLetters {
    /// The dead letters of `topic`, on [`DeadLetters::topic_of`] it.
    #[must_use]
    pub fn new(bus: Arc<dyn EventBus>, topic: &str) -> Self {
        Self { bus, topic: topic.to_owned(), dead_topic: Self::topic_of(topic) }
    }

    /// Where the dead letters of `topic` are kept: `<topic>.dlq`.
    #[must_use]
    pub fn topic_of(topic: &str) -> String {
        format!("{topic}{ENDING}")
    }

    /// Whether dead letters are kept on this topic.
    #[must_use]
    pub fn are_on(topic: &str) -> bool {
        topic.ends_with(ENDING)
    }

    /// Sets a record aside: as it is, or where it is too large, without its value, or with nothing of it at all.
    pub async fn add(
        &self,
        record: &Record,
        group: &str,
        reason: &str,
        attempts: u32,
    ) -> Result<(), BusError> {
        let (partition, offset) = (record.partition.to_string(), record.offset.to_string());
        let (attempts, size) = (attempts.to_string(), record.value.len().to_string());
        let about = |reason| {
            [
                (REASON, reason),
                (GROUP, group.as_bytes()),
                (PARTITION, partition.as_bytes()),
                (OFFSET, offset.as_bytes()),
                (ATTEMPTS, attempts.as_bytes()),
            ]
        };
        let original = record
            .headers
            .iter()
            .filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, value)))
            // Not its words about itself.
            .filter(|(name, _)| !name.starts_with(OURS));
        let whole: Vec<_> = original.chain(about(reason.as_bytes())).collect();
        let left_out = [(LEFT_OUT, size.as_bytes())];
        let without_value = whole.iter().copied().chain(left_out);
        let bare = about(beginning(reason).as_bytes()).into_iter().chain(left_out);
        let letters = [
            (record.key.clone(), Headers::new(whole.iter().copied()), record.value.clone()),
            (record.key.clone(), Headers::new(without_value), Bytes::new()),
            (None, Headers::new(bare), Bytes::new()),
        ];
        let mut outcome = Ok(());
        for (key, headers, value) in letters {
            let letter = NewRecord { key, headers, value };
            outcome = self.bus.publish(&self.dead_topic, vec![letter]).await;
            if !matches!(outcome, Err(BusError::TooLarge(_))) {
                break;
            }
        }
        outcome
    }

    /// The open letters, oldest first.
    pub async fn list(&self) -> Result<Vec<DeadLetter>, BusError> {
        let mut open = BTreeMap::new();
        let mut settled = Vec::new();
        let mut replay = self.bus.replay(&self.dead_topic).await?;
        loop {
            let records = replay.next(1000).await?;
            if records.is_empty() {
                break;
            }
            for record in records {
                match record.headers.text(SETTLES).and_then(|id| id.parse::<DeadLetterId>().ok()) {
                    Some(id) => settled.push(id),
                    None => {
                        let letter = read_letter(record);
                        open.insert(letter.id, letter);
                    }
                }
            }
        }
        for id in settled {
            open.remove(&id);
        }
        let mut letters: Vec<_> = open.into_values().collect();
        letters.sort_by_key(|letter| (letter.set_aside_at, letter.id));
        Ok(letters)
    }

    /// One open letter.
    pub async fn show(&self, id: DeadLetterId) -> Result<DeadLetter, DeadLetterError> {
        let letters = self.list().await?;
        letters.into_iter().find(|letter| letter.id == id).ok_or(DeadLetterError::Unknown(id))
    }

    /// Publishes the record again on its topic, where every group sees it, and settles the letter.
    pub async fn replay(&self, id: DeadLetterId) -> Result<(), DeadLetterError> {
        let letter = self.show(id).await?;
        if letter.left_out.is_some() {
            return Err(DeadLetterError::LeftOut { id, place: letter.source });
        }
        self.bus.publish(&self.topic, vec![letter.record]).await?;
        self.settle(id, "replayed").await
    }

    /// Settles the letter without doing anything with its record.
    pub async fn drop(&self, id: DeadLetterId) -> Result<(), DeadLetterError> {
        let letter = self.show(id).await?;
        self.settle(letter.id, "dropped").await
    }

    async fn settle(&self, id: DeadLetterId, how: &str) -> Result<(), DeadLetterError> {
        let id = id.to_string();
        let headers = Headers::new([(SETTLES, id.as_bytes()), (SETTLED_HOW, how.as_bytes())]);
        let settling = NewRecord { key: None, headers, value: Bytes::new() };
        Ok(self.bus.publish(&self.dead_topic, vec![settling]).await?)
    }
}

/// As much of a text as fits into a short letter.
fn beginning(text: &str) -> &str {
    let end = (0..=SHORT.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or_default()]
}

fn read_letter(record: Record) -> DeadLetter {
    let text = |name| record.headers.text(name).unwrap_or_default().to_owned();
    let number =
        |name| record.headers.text(name).and_then(|text| text.parse::<i64>().ok()).unwrap_or_default();
    let original = record
        .headers
        .iter()
        .filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, value)))
        .filter(|(name, _)| !name.starts_with(OURS));
    DeadLetter {
        id: DeadLetterId { partition: record.partition, offset: record.offset },
        reason: text(REASON),
        group: text(GROUP),
        source: (u32::try_from(number(PARTITION)).unwrap_or_default(), number(OFFSET)),
        attempts: u32::try_from(number(ATTEMPTS)).unwrap_or_default(),
        set_aside_at: record.published_at,
        left_out: record.headers.text(LEFT_OUT).map(|size| size.parse().unwrap_or_default()),
        record: NewRecord {
            key: record.key.clone(),
            headers: Headers::new(original),
            value: record.value.clone(),
        },
    }
}
