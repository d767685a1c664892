//! The packages of the workspace, as Cargo sees them.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::tree::root;

/// The contexts, from upstream to downstream.
pub(crate) const CONTEXTS: [&str; 4] = ["order", "rent", "delivery", "mypage"];

/// A package of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder, from the root of the repository.
    pub(crate) folder: String,
    /// Packages that it depends on, for building and for running.
    pub(crate) dependencies: Vec<String>,
    /// Packages that only its tests depend on.
    pub(crate) test_dependencies: Vec<String>,
}

impl Package {
    /// Everything that it depends on, for whatever.
    pub(crate) fn all_dependencies(&self) -> impl Iterator<Item = &str> {
        self.dependencies.iter().chain(&self.test_dependencies).map(String::as_str)
    }
}

/// A package that is planted to see a rule fail.
pub(crate) fn planted(name: &str, folder: &str, dependencies: &[&str]) -> Vec<Package> {
    vec![Package {
        name: name.to_owned(),
        folder: folder.to_owned(),
        dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
        test_dependencies: Vec::new(),
    }]
}

/// What Cargo says of the workspace.
pub(crate) fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}

/// All packages of the workspace.
pub(crate) fn packages() -> Vec<Package> {
    let metadata = metadata();
    let packages: Vec<_> = metadata["packages"].as_array().expect("packages").iter().map(package).collect();
    assert!(packages.len() > CONTEXTS.len(), "the workspace has its packages");
    packages
}

fn package(value: &Value) -> Package {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let manifest = text(&value["manifest_path"]);
    let root = root().to_string_lossy().into_owned();
    let folder = manifest.trim_start_matches(&root).trim_start_matches('/').trim_end_matches("/Cargo.toml");
    let dependencies = value["dependencies"].as_array().expect("dependencies");
    let of = |is_test: bool| {
        let of_kind = dependencies.iter().filter(move |dependency| (dependency["kind"] == "dev") == is_test);
        of_kind.map(|dependency| text(&dependency["name"])).collect()
    };
    Package {
        name: text(&value["name"]),
        folder: folder.to_owned(),
        dependencies: of(false),
        test_dependencies: of(true),
    }
}

/// The names that a path can begin with when it leaves its crate: the standard library's and those of every package
/// that some package of ours depends on. (A crate that nobody depends on cannot be named at all.)
pub(crate) fn crates(packages: &[Package]) -> BTreeSet<String> {
    let ours = packages.iter().flat_map(|package| package.all_dependencies().chain([package.name.as_str()]));
    ours.chain(["std", "core", "alloc"]).map(|name| name.replace('-', "_")).collect()
}
