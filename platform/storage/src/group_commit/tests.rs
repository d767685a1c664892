//! What a writer does whose disk fails.

use std::{fs::File, path::Path, sync::Arc, thread};

use bytes::Bytes;
use platform_outbox::{Outbox as _, OutboxMessage};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{Waiting, Write, Writer};
use crate::{Sqlite, SqliteOutbox, StorageError, Tx, outbox::Unpublished, readers::Readers, schema};

const MIGRATIONS: &[&str] = &["CREATE TABLE notes (text TEXT) STRICT"];

type Answer = oneshot::Receiver<Result<(), StorageError>>;

/// A writer on a file of its own that brings its commits to the disk by syncing `wal`.
struct AWriter {
    writes: mpsc::UnboundedSender<Box<dyn Write>>,
    thread: thread::JoinHandle<()>,
    unpublished: Arc<Unpublished>,
}

fn a_writer(path: &Path, wal: File) -> AWriter {
    let mut connection = Connection::open(path).expect("a file");
    connection.pragma_update(None, "journal_mode", "WAL").expect("a setting");
    schema::migrate(&mut connection, path, "notes", MIGRATIONS).expect("a schema");
    let unpublished = Arc::new(Unpublished::new(1));
    let (writes, waiting) = mpsc::unbounded_channel();
    let writer = Writer {
        connection,
        waiting,
        wal,
        next_seq: 1,
        unpublished: Arc::clone(&unpublished),
        readers: Arc::new(Readers::new(path.to_owned())),
        counts: Arc::default(),
        runtime: None,
    };
    AWriter { writes, thread: thread::spawn(move || writer.run()), unpublished }
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
    let AWriter { writes, thread, .. } = a_writer(&folder.path().join("notes.db"), a_disk_that_fails());
    let (write, answer) = note(false);
    writes.send(write).unwrap_or_else(|_| panic!("the writer is there"));
    let said = answer.blocking_recv().expect("an answer").expect_err("it is not on the disk");
    assert!(matches!(said, StorageError::InDoubt(_)), "it was committed and may be found again: {said}");
    assert!(said.to_string().contains("the disk does not keep what is written"), "{said}");
    thread.join().expect("it has ended by itself");
    assert!(writes.send(note(false).0).is_err(), "nobody writes any more");
}

#[test]
fn what_would_be_done_again_is_answered_before_it_is_on_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let AWriter { writes, thread, .. } = a_writer(&folder.path().join("notes.db"), a_disk_that_fails());
    let ((redoable, first), (durable, second)) = (note(true), note(false));
    for write in [redoable, durable] {
        writes.send(write).unwrap_or_else(|_| panic!("the writer is there"));
    }
    first.blocking_recv().expect("an answer").expect("it is committed");
    assert!(!matches!(second.blocking_recv(), Ok(Ok(()))), "it is not on the disk");
    drop(writes);
    thread.join().expect("it has ended");
}

#[tokio::test]
async fn what_is_committed_and_not_on_the_disk_is_not_published() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notes.db");
    let AWriter { writes, thread, unpublished } = a_writer(&path, a_disk_that_fails());
    let (write, answer) = note(false);
    writes.send(write).unwrap_or_else(|_| panic!("the writer is there"));
    answer.await.expect("an answer").expect_err("it is not on the disk");
    thread.join().expect("it has ended by itself");
    let store = Sqlite::open(&path, "notes", MIGRATIONS).expect("it opens");
    assert_eq!(store.outbox().read(0, 10).await.expect("rows").len(), 1, "it can be read");
    let outbox = SqliteOutbox::new(store, unpublished);
    assert_eq!(outbox.read(0, 10).await.expect("rows"), [], "and is not to be published");
}
