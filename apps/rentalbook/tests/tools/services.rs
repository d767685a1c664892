use std::net::TcpStream;

use super::{home::Home, is_one_sentence};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_stopped_and_started() {
    let home = Home::new();
    let running = home.open().await;
    for (n, service) in ["order", "rent", "delivery", "mypage", "gateway"].into_iter().enumerate() {
        let is_open = || TcpStream::connect(("127.0.0.1", home.port(n))).is_ok();
        assert_eq!(home.done(&["start", service]).await, format!("{service} was running already\n"));
        assert_eq!(home.done(&["stop", service]).await, format!("{service} is stopped\n"));
        assert!(!is_open(), "the port of {service} is closed");
        assert_eq!(home.done(&["stop", service]).await, format!("{service} was stopped already\n"));
        assert_eq!(home.done(&["start", service]).await, format!("{service} is started\n"));
        assert!(is_open(), "the port of {service} is open");
    }
    let order = home.an_order("COSMOS").await;
    home.until(&format!("/mypages/{order}"), "Ship").await;
    home.is_clean().await;
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_whose_port_was_taken_meanwhile_does_not_start_and_says_so() {
    let home = Home::new();
    let running = home.open().await;
    home.done(&["stop", "rent"]).await;
    let taken = std::net::TcpListener::bind(("127.0.0.1", home.port(1))).expect("the port");
    let (said, code) = home.tool(&["start", "rent"]).await;
    assert!(code == 1 && said.contains("in use") && is_one_sentence(&said), "{said}");
    drop(taken);
    home.done(&["start", "rent"]).await;
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_running_library_nothing_can_be_stopped_or_started() {
    let home = Home::new();
    home.open().await.close().await;
    for tool in ["stop", "start"] {
        let (said, code) = home.tool(&[tool, "rent"]).await;
        assert!(code == 1 && said.contains("no library is running") && is_one_sentence(&said), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_data_folder_every_tool_says_so() {
    let home = Home::new();
    let tools: [&[&str]; 9] = [
        &["fault"],
        &["audit"],
        &["stop", "rent"],
        &["start", "rent"],
        &["rebuild-view"],
        &["dlq", "list"],
        &["dlq", "show", "0-1"],
        &["dlq", "replay", "0-1"],
        &["dlq", "drop", "0-1"],
    ];
    for tool in tools {
        let (said, code) = home.tool(tool).await;
        assert!(code == 1 && said.contains("no data folder") && said.contains("--data"), "{tool:?}: {said}");
        assert!(is_one_sentence(&said), "{said}");
    }
    assert!(!home.data().exists(), "a tool makes no library");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_folder_without_a_library_every_tool_says_so_and_makes_none() {
    let home = Home::new();
    std::fs::create_dir(home.data()).expect("a folder");
    std::fs::write(home.data().join("letter.txt"), "a folder of somebody else").expect("a file");
    let tools: [&[&str]; 4] = [&["audit"], &["stop", "rent"], &["rebuild-view"], &["dlq", "list"]];
    for tool in tools {
        let (said, code) = home.tool(tool).await;
        let sentence = format!("there is no library in {}", home.data().display());
        assert!(code == 1 && said.starts_with(&sentence) && is_one_sentence(&said), "{tool:?}: {said}");
    }
    let names: Vec<_> = std::fs::read_dir(home.data())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names, ["letter.txt"]);
}
