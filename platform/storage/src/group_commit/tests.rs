//! What a writer does whose disk fails.

use std::{fs::File, path::Path, sync::Arc, thread};

use bytes::Bytes;
use platform_outbox::OutboxMessage;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{Waiting, Write, Writer};
use crate::{StorageError, Tx, outbox::Unpublished, readers::Readers, schema};

type Answer = oneshot::Receiver<Result<(), StorageError>>;

/// A writer on a file of its own that brings its commits to the disk by syncing `wal`.
fn a_writer(path: &Path, wal: File) -> (mpsc::UnboundedSender<Box<dyn Write>>, thread::JoinHandle<()>) {
    let mut connection = Connection::open(path).expect("a file");
    connection.pragma_update(None, "journal_mode", "WAL").expect("a setting");
    schema::migrate(&mut connection, path, "notes", &["CREATE TABLE notes (text TEXT) STRICT"])
        .expect("a schema");
    let (writes, waiting) = mpsc::unbounded_channel();
    let writer = Writer {
        connection,
        waiting,
        wal,
        next_seq: 1,
        unpublished: Arc::new(Unpublished::new(1)),
        readers: Arc::new(Readers::new(path.to_owned())),
        counts: Arc::default(),
        runtime: None,
    };
    (writes, thread::spawn(move || writer.run()))
}

fn note(redoable: bool) -> (Box<dyn Write>, Answer) {
    let write = |tx: &Tx<'_>| {
        tx.say(&OutboxMessage { key: Bytes::new(), headers: Default::default(), value: Bytes::new() });
        tx.prepare("INSERT INTO notes VALUES ('a note')")?.execute([]).map(drop)
    };
    let (reply, answer) = oneshot::channel();
    (Box::new(Waiting { write, redoable, result: None, reply }), answer)
}

/// A file that can be opened and never synced.
fn a_disk_that_fails() -> File {
    File::options().write(true).open("/dev/full").expect("a device")
}

#[test]
fn what_the_disk_does_not_keep_is_not_answered_as_kept_and_nothing_is_written_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (writes, writer) = a_writer(&folder.path().join("notes.db"), a_disk_that_fails());
    let (write, answer) = note(false);
    writes.send(write).unwrap_or_else(|_| panic!("the writer is there"));
    let said = answer.blocking_recv().expect("an answer").expect_err("it is not on the disk");
    assert!(said.0.contains("the disk does not keep what is written"), "{said}");
    writer.join().expect("it has ended by itself");
    assert!(writes.send(note(false).0).is_err(), "nobody writes any more");
}

#[test]
fn what_would_be_done_again_is_answered_before_it_is_on_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let (writes, writer) = a_writer(&folder.path().join("notes.db"), a_disk_that_fails());
    let ((redoable, first), (durable, second)) = (note(true), note(false));
    for write in [redoable, durable] {
        writes.send(write).unwrap_or_else(|_| panic!("the writer is there"));
    }
    first.blocking_recv().expect("an answer").expect("it is committed");
    assert!(!matches!(second.blocking_recv(), Ok(Ok(()))), "it is not on the disk");
    drop(writes);
    writer.join().expect("it has ended");
}
