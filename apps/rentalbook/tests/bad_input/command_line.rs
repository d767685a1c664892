use std::process::{Command, Stdio};

use crate::{
    killing::program::{Program, as_tested, free_ports, run},
    tools::is_one_sentence,
};

/// What the program says where it does not start, and that it has made nothing.
fn refusal(args: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data").display().to_string();
    let args: Vec<_> = ["--data", &data].iter().chain(args).copied().collect();
    let output = run(&as_tested(), &args);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(!output.status.success() && output.stdout.is_empty(), "{args:?}: {said}");
    assert!(!folder.path().join("data/order.db").exists(), "{args:?}");
    said
}

#[test]
fn a_mistake_on_the_command_line_is_told_in_one_sentence() {
    for (args, what) in [
        (&["--prot", "1"][..], "'--prot'"),
        (&["--order-port", "many"], "'--order-port <PORT>'"),
        (&["--order-port", "65536"], "65536"),
        (&["--order-port", "-1"], "-1"),
        (&["--bind", "here"], "'--bind <ADDRESS>'"),
        (&["--on-rent-unavailable", "pray"], "defer, reject"),
        (&["--rent-deadline-ms", "0"], "1..=60000"),
        (&["--max-in-flight", "0"], "--max-in-flight"),
        (&["--partitions", "0"], "--partitions"),
        (&["--log", "loud"], "text, json"),
        (&["--time-zone", "Asia/Atlantis"], "'--time-zone <ZONE>'"),
        (&["--cors-origins", "library.example"], "\"library.example\" is not a web origin"),
        (&["--cors-origins", "https://library.example/"], "is not a web origin"),
        (&["--cors-origins", "*"], "\"*\" is not a web origin"),
        (&["--trusted-proxies", "10.0.0.0/33"], "`10.0.0.0/33` is neither"),
        (&["dance"], "'dance'"),
        (&["tools", "stop"], "<SERVICE>"),
        (&["tools", "stop", "everything"], "order, rent, delivery, mypage, gateway"),
        (&["tools", "dlq", "show"], "<ID>"),
    ] {
        let said = refusal(args);
        assert!(said.contains(what) && is_one_sentence(&said), "{args:?}: {said}");
    }
}

#[test]
fn several_mistakes_are_told_at_once() {
    let long = "x".repeat(101);
    let said = refusal(&[
        "--time-zone",
        "Nowhere",
        "--suspended-customers",
        &long,
        "--cors-origins",
        "library.example",
        "--trusted-proxies",
        "here",
        "--order-port",
        "many",
    ]);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 5, "{said}");
    for option in
        ["--time-zone", "--suspended-customers", "--cors-origins", "--trusted-proxies", "--order-port"]
    {
        assert!(lines.iter().any(|line| line.contains(option)), "{option}: {said}");
    }
}

#[test]
fn a_log_filter_that_is_none_is_told_in_one_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(as_tested())
        .args(["--data", &folder.path().join("data").display().to_string()])
        .env("RENTALBOOK_LOG", "order=debug=loud")
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(!output.status.success() && said.contains("RENTALBOOK_LOG") && is_one_sentence(&said), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_or_a_folder_in_use_is_told_in_one_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, ports) = (folder.path().join("data"), free_ports());
    let running = Program::open(&as_tested(), &data, ports, &[]).await;
    let start = |data: std::path::PathBuf, ports| {
        tokio::task::spawn_blocking(move || {
            let mut second = Program::spawn(&as_tested(), &data, ports, &[]);
            let status = second.wait();
            (status, second.complaints())
        })
    };

    let same_port = [free_ports()[0], ports[1], 0, 0, 0];
    let (status, said) = start(folder.path().join("other"), same_port).await.expect("it ended");
    let sentence: Vec<_> = said.lines().filter(|line| !line.contains(" INFO ")).collect();
    assert!(!status.success(), "{said}");
    assert_eq!(sentence.len(), 1, "{said}");
    assert!(sentence[0].contains(&format!("port {} is in use", ports[1])), "{said}");

    // Its words go beside the folder, where those of the first are: look at what has come.
    let (status, said) = start(data.clone(), free_ports()).await.expect("it ended");
    assert!(!status.success());
    let last = said.lines().last().expect("a sentence");
    assert!(last.contains("in use by a running library") && is_one_sentence(last), "{said}");
    running.close().await;
}
