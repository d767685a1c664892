use std::{
    fs,
    io::{Seek as _, Write as _},
    path::Path,
};

use platform_storage::rusqlite::Connection;

use crate::{
    killing::program::{as_tested, run},
    tools::{home::Home, is_one_sentence},
};

/// What the program and a tool say where the data folder cannot be used: the same sentence.
fn refusal(data: &Path) -> String {
    let data = data.display().to_string();
    let started = run(&as_tested(), &["--data", &data, "--gateway-port", "0"]);
    let said = String::from_utf8(started.stderr).expect("UTF-8");
    assert!(started.status.code() == Some(1) && started.stdout.is_empty(), "{said}");
    let tool = run(&as_tested(), &["tools", "--data", &data, "audit"]);
    assert_eq!(
        (tool.status.code(), String::from_utf8_lossy(&tool.stderr).as_ref()),
        (Some(1), said.as_str())
    );
    assert!(is_one_sentence(&said), "{said}");
    said
}

fn overwrite_header(path: &Path) {
    let mut file = fs::File::options().write(true).open(path).expect("the file");
    file.rewind().expect("to its start");
    file.write_all(&[0xa5; 512]).expect("overwritten");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_named_and_nothing_else_is_touched() {
    let library = Home::with_four_orders().await;
    for file in ["order.db", "rent.db", "delivery.db", "bus.db", "mypage.redb"] {
        let home = library.copy();
        let path = home.data().join(file);
        overwrite_header(&path);
        let before = contents(&home.data());
        let said = refusal(&home.data());
        assert!(said.contains(&path.display().to_string()) && said.contains("damaged"), "{said}");
        for (name, bytes) in contents(&home.data()) {
            assert!(
                before.iter().any(|(old, was)| *old == name && *was == bytes),
                "{name} has changed, {file} was damaged"
            );
        }
        // As the sentence says: the view is made again from the events, the others come from a backup.
        match file {
            "mypage.redb" => fs::remove_file(&path).expect("moved away"),
            _ => drop(fs::copy(library.data().join(file), &path).expect("restored")),
        }
        home.is_clean().await;
    }
}

/// The data files by name; what SQLite keeps beside an open file does not count.
fn contents(data: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(data).expect("a folder").map(|entry| entry.expect("an entry"));
    let files =
        entries.filter(|entry| entry.path().extension().is_some_and(|kind| kind == "db" || kind == "redb"));
    files
        .map(|entry| (entry.file_name().display().to_string(), fs::read(entry.path()).expect("its bytes")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_cut_short_is_named() {
    let library = Home::with_four_orders().await;
    for file in ["order.db", "bus.db", "mypage.redb"] {
        let home = library.copy();
        let path = home.data().join(file);
        fs::File::options().write(true).open(&path).and_then(|file| file.set_len(5_000)).expect("cut");
        let said = refusal(&home.data());
        assert!(said.contains(&path.display().to_string()), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_newer_version_is_left_alone() {
    let library = Home::with_four_orders().await;
    for file in ["order.db", "rent.db", "delivery.db", "bus.db"] {
        let home = library.copy();
        let connection = Connection::open(home.data().join(file)).expect("the file");
        connection
            .execute("UPDATE schema SET version = version + 1 WHERE component <> 'storage'", [])
            .expect("SQL");
        drop(connection);
        let said = refusal(&home.data());
        assert!(said.contains(file) && said.contains("newer version"), "{said}");
        let connection = Connection::open(home.data().join(file)).expect("the file");
        connection
            .execute("UPDATE schema SET version = version - 1 WHERE component <> 'storage'", [])
            .expect("SQL");
        drop(connection);
        home.is_clean().await;
    }
}

#[test]
fn a_data_folder_that_is_a_file_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("data");
    fs::write(&file, "not a folder").expect("a file");
    for data in [file.clone(), file.join("deeper")] {
        let said = run(&as_tested(), &["--data", &data.display().to_string()]);
        let sentence = String::from_utf8(said.stderr).expect("UTF-8");
        assert_eq!(said.status.code(), Some(1));
        assert!(sentence.contains("cannot be used") && is_one_sentence(&sentence), "{sentence}");
    }
    assert_eq!(fs::read_to_string(&file).expect("the file"), "not a folder");
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_partitions_than_the_folder_has_are_refused() {
    let home = Home::new();
    home.open_with(&["--partitions", "24"]).await.close().await;
    let running = home.open().await;
    for n in 0..40 {
        let order = home.an_order(&format!("book {n}")).await;
        home.until(&format!("/mypages/{order}"), "Ship").await;
    }
    running.close().await;

    let data = home.data().display().to_string();
    let started = run(&as_tested(), &["--data", &data, "--partitions", "12", "--gateway-port", "0"]);
    let said = String::from_utf8(started.stderr).expect("UTF-8");
    assert!(started.status.code() == Some(1) && started.stdout.is_empty(), "{said}");
    assert!(said.contains("has 24 partitions, which cannot become 12") && is_one_sentence(&said), "{said}");

    // The option was forgotten above: the folder has remembered it. The events are in more than twelve.
    home.is_clean().await;
    let records = crate::tools::topic::records(&home.data()).await;
    let largest = records.iter().map(|record| record.partition).max().expect("records");
    assert!(largest >= 12, "{largest}");
}
