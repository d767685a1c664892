use platform_storage::{OpenError, Sqlite, StorageError, rusqlite};

use crate::{NOTES, a_store};

#[test]
fn a_file_from_the_future_is_refused_with_one_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notes.db");
    let later = [NOTES, "ALTER TABLE notes ADD COLUMN colour TEXT"];
    drop(Sqlite::open(&path, "notes", &later).expect("the newer program"));
    let refused = Sqlite::open(&path, "notes", &[NOTES]).err().expect("refused");
    assert!(matches!(refused, OpenError::Newer { found: 2, known: 1, .. }), "{refused}");
    assert!(refused.to_string().contains("newer version of this program"), "{refused}");
    drop(Sqlite::open(&path, "notes", &later).expect("nothing was changed"));
}

#[test]
fn migrations_run_once_and_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notes.db");
    let later = [NOTES, "ALTER TABLE notes ADD COLUMN colour TEXT"];
    drop(a_store(folder.path()));
    for _ in 0..2 {
        let store = Sqlite::open(&path, "notes", &later).expect("migrated");
        let columns = store.read(|c| Ok(c.prepare("SELECT * FROM notes")?.column_count())).expect("columns");
        assert_eq!(columns, 4);
    }
}

#[test]
fn a_damaged_file_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notes.db");
    let garbage = vec![b'x'; 8192];
    std::fs::write(&path, &garbage).expect("write");
    let refused = Sqlite::open(&path, "notes", &[NOTES]).err().expect("refused");
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    assert_eq!(std::fs::read(&path).expect("read"), garbage);
}

#[test]
fn a_file_that_was_cut_short_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notes.db");
    drop(a_store(folder.path()));
    let whole = std::fs::read(&path).expect("read");
    std::fs::write(&path, &whole[..whole.len() - 4096]).expect("write");
    let refused = Sqlite::open(&path, "notes", &[NOTES]).err().expect("refused");
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
}

async fn write(store: &Sqlite, id: i64) -> Result<(), StorageError> {
    let insert = "INSERT INTO notes (id, text, version) VALUES (?1, printf('%400c', 'x'), 1)";
    store.write(move |tx| tx.prepare(insert)?.execute([id]).map(drop)).await
}

#[tokio::test]
async fn damage_inside_a_file_is_named_when_it_is_met_and_nothing_more_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notes.db");
    let store = a_store(folder.path());
    for n in 0..200 {
        write(&store, n).await.expect("written");
    }
    drop(store);
    let mut bytes = std::fs::read(&path).expect("read");
    let at = bytes.len() - 2 * 4096;
    bytes[at..at + 4096].fill(b'x');
    std::fs::write(&path, &bytes).expect("write");

    let store = a_store(folder.path());
    assert!(store.is_ready(), "it is not seen at once");
    let all = |c: &rusqlite::Connection| {
        c.query_row("SELECT sum(length(text)) FROM notes", [], |row| row.get::<_, i64>(0))
    };
    let error = store.read(all).expect_err("a page is none");
    let said = error.to_string();
    assert!(matches!(error, StorageError::Damaged(_)) && said.contains("notes.db"), "{said}");
    assert!(!store.is_ready(), "now it is known");
    let error = write(&store, 201).await.expect_err("not written");
    assert!(error.to_string().contains("notes.db is damaged"), "{error}");
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("missing").join("notes.db");
    let refused = Sqlite::open(&path, "notes", &[NOTES]).err().expect("refused");
    assert!(matches!(refused, OpenError::Unusable { .. }), "{refused}");
}
