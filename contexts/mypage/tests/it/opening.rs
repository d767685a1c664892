//! What a file may be like when it is opened.

use std::{fs, path::Path};

use contracts::Timestamp;
use mypage::{
    adapters::outbound::redb::{OpenError, RedbView},
    contract::{fact, ordered},
    projection::Fact,
    query::View as _,
};
use redb::TableDefinition;

async fn a_view_with_rows(path: &Path) {
    let view = RedbView::open(path).expect("it opens");
    view.apply((1..2_000).map(|id| ordered(id, "COSMOS", "kim", id)).collect()).await.expect("applied");
}

fn refusal(path: &Path) -> OpenError {
    RedbView::open(path).err().expect("it is refused")
}

fn is_one_sentence(error: &OpenError) {
    let text = error.to_string();
    assert!(text.contains("mypage.redb"), "names the file: {text}");
    assert!(!text.contains('\n') && !text.contains(". "), "one sentence: {text}");
}

#[tokio::test]
async fn a_file_of_a_newer_program_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mypage.redb");
    a_view_with_rows(&path).await;
    let meta = TableDefinition::<&str, u64>::new("meta");
    let database = redb::Database::open(&path).expect("it opens");
    let tx = database.begin_write().expect("a transaction");
    tx.open_table(meta).expect("a table").insert("schema", 99).expect("inserted");
    tx.commit().expect("committed");
    drop(database);

    let error = refusal(&path);
    assert!(matches!(error, OpenError::Newer { found: 99, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("newer version"));
    is_one_sentence(&error);
}

#[tokio::test]
async fn damaged_files_are_refused_and_not_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mypage.redb");
    a_view_with_rows(&path).await;
    let good = fs::read(&path).expect("a file");
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at..at + 64].iter_mut().for_each(|byte| *byte = !*byte);
        bytes
    };
    let damages = [
        ("text", b"this is no database at all, but a file that somebody has put there".to_vec()),
        ("cut off", good[..good.len() / 3].to_vec()),
        ("header", flipped(0)),
        ("root", flipped(64)),
        (
            "everything but the header",
            good[..4_096].iter().copied().chain(vec![7; good.len() - 4_096]).collect(),
        ),
    ];
    for (what, bytes) in damages {
        fs::write(&path, &bytes).expect("written");
        let error = refusal(&path);
        assert!(matches!(error, OpenError::Damaged { .. }), "{what}: {error}");
        is_one_sentence(&error);
        assert!(fs::read(&path).expect("a file") == bytes, "{what}: the file was changed");
    }
}

#[test]
fn the_database_of_somebody_else_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mypage.redb");
    let database = redb::Database::create(&path).expect("created");
    let tx = database.begin_write().expect("a transaction");
    tx.open_table(TableDefinition::<&str, &str>::new("poems")).expect("a table");
    tx.commit().expect("committed");
    drop(database);
    let error = refusal(&path);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    is_one_sentence(&error);
}

#[tokio::test]
async fn a_file_in_use_and_a_missing_folder_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mypage.redb");
    let _open = RedbView::open(&path).expect("it opens");
    let error = refusal(&path);
    assert!(matches!(error, OpenError::Unusable { .. }), "{error}");
    assert!(error.to_string().contains("another process"), "{error}");
    let error = refusal(&folder.path().join("missing").join("mypage.redb"));
    assert!(matches!(error, OpenError::Unusable { .. }), "{error}");
}

#[tokio::test]
async fn what_an_interrupted_rebuild_has_left_is_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mypage.redb");
    let leftover = folder.path().join("mypage.redb.rebuild");
    a_view_with_rows(&path).await;
    fs::write(&leftover, "half a view").expect("written");
    let view = RedbView::open(&path).expect("it opens");
    assert!(!leftover.exists());

    let mut rebuild = view.begin_rebuild().await.expect("a rebuild");
    rebuild.apply(vec![fact(1, Fact::Ordered, 1)]).await.expect("applied");
    assert!(leftover.exists());
    drop(rebuild);
    assert!(!leftover.exists(), "an abandoned rebuild leaves nothing");

    view.begin_rebuild().await.expect("a rebuild").finish().await.expect("finished");
    assert!(!leftover.exists(), "a finished one has taken the place");
    assert_eq!(view.total().await, Ok(0));
}

#[tokio::test]
async fn moments_before_1970_and_of_the_far_future_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let view = RedbView::open(&folder.path().join("mypage.redb")).expect("it opens");
    view.apply(vec![fact(1, Fact::Ordered, i64::MIN), fact(1, Fact::Rented, i64::MAX)])
        .await
        .expect("applied");
    let row = view.get(1).await.expect("a read").expect("a row");
    let moments: Vec<_> = row.history().iter().map(|entry| entry.at).collect();
    assert_eq!(moments, [Timestamp(i64::MIN), Timestamp(i64::MAX)]);
}
