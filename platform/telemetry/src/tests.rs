use std::process::Command;

use super::*;

/// Set in the child process of a test.
const IN_CHILD: &str = "TELEMETRY_TEST_CHILD";

/// The panic hook and the logger are the process's, so the test is its own child.
#[test]
fn a_panic_is_a_line_of_json() {
    if std::env::var_os(IN_CHILD).is_some() {
        start(LogFormat::Json).expect("the filter is empty");
        let ended = std::thread::Builder::new().name("worker".to_owned()).spawn(|| panic!("two\nlines"));
        ended.expect("a thread").join().expect_err("it panics");
        return;
    }
    let child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "tests::a_panic_is_a_line_of_json", "--nocapture"])
        .env(IN_CHILD, "1")
        .env("RUST_BACKTRACE", "1")
        .env_remove(FILTER_VARIABLE)
        .output()
        .expect("it runs");
    assert!(child.status.success(), "{child:?}");
    let log = String::from_utf8(child.stderr).expect("text");
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(lines.len(), 1, "{log}");
    let line = &lines[0];
    assert_eq!(
        (&line["level"], &line["reason"], &line["thread"]),
        (&"ERROR".into(), &"two\nlines".into(), &"worker".into())
    );
    assert!(line["location"].as_str().is_some_and(|place| place.contains("tests.rs:")), "{line}");
    assert!(line["backtrace"].is_string(), "{line}");
}
