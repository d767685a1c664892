//! The commands that people type, as make and Cargo understand them.

use std::process::Command;

use serde_json::Value;

use crate::{caught, graph, none_of, tree::root};

/// What `make target` would do, a command a line.
fn recipe(target: &str) -> Vec<String> {
    let mut make = Command::new("make");
    // As if somebody typed it: `make test` and Cargo, which may run this test, leave their own marks behind.
    for name in ["CARGO", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"] {
        make.env_remove(name);
    }
    let output = make.args(["-n", target]).current_dir(root()).output().expect("make is there");
    assert!(output.status.success(), "make -n {target}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// `cargo run` without a package runs the only binary of the default members; with more than one it runs nothing.
fn more_or_less_than_one_binary(metadata: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let defaults = list(&metadata["workspace_default_members"]);
    let packages = list(&metadata["packages"]);
    let targets = packages
        .iter()
        .filter(|package| defaults.contains(&package["id"]))
        .flat_map(|package| list(&package["targets"]));
    let binaries: Vec<_> = targets
        .filter(|target| list(&target["kind"]).contains(&"bin".into()))
        .map(|target| target["name"].as_str().unwrap_or_default().to_owned())
        .collect();
    match binaries.as_slice() {
        [one] if one == "rentalbook" => Vec::new(),
        others => vec![format!("`cargo run` cannot mean one of {others:?}")],
    }
}

/// Commands of a recipe that look at the default members only.
fn without_the_workspace(recipe: &[String]) -> Vec<String> {
    let narrow = recipe.iter().filter(|command| {
        let checks = ["cargo test", "cargo clippy", "cargo doc"].iter().any(|check| command.contains(check));
        checks && !command.contains("--workspace")
    });
    narrow.map(|command| format!("{command}: only the default members")).collect()
}

#[test]
fn cargo_run_runs_the_library() {
    none_of(&more_or_less_than_one_binary(&graph::metadata()));
    assert_eq!(recipe("run"), ["cargo run --release"]);

    let mut every_member = graph::metadata();
    every_member["workspace_default_members"] = every_member["workspace_members"].clone();
    caught(&more_or_less_than_one_binary(&every_member), "bench");
    let mut none = graph::metadata();
    none["workspace_default_members"] = Value::Array(Vec::new());
    caught(&more_or_less_than_one_binary(&none), "[]");
}

#[test]
fn tests_and_checks_are_of_the_whole_workspace() {
    let checks = [recipe("test"), recipe("lint")].concat();
    assert!(checks.iter().any(|command| command.contains("cargo test --workspace")), "{checks:?}");
    assert!(checks.iter().any(|command| command.contains("cargo clippy --workspace")), "{checks:?}");
    none_of(&without_the_workspace(&checks));

    caught(&without_the_workspace(&["cargo test --lib".to_owned()]), "cargo test --lib");
    none_of(&without_the_workspace(&["cargo fmt --all --check".to_owned(), "cargo deny check".to_owned()]));
}
