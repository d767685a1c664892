//! Contexts know nothing of each other.

use crate::{
    caught,
    graph::{self, CONTEXTS, Package, packages},
    none_of,
    tokens::Code,
    tree::{self, Source, planted},
};

/// The only packages that know several contexts: the wiring, what measures it, and the model, which checks that the
/// decisions of all of them together make a process. The model is built for nobody but its tests and `make model`.
const KNOW_SEVERAL: [&str; 3] = ["rentalbook", "bench", "model"];

/// What no context names: another one, the door before them, the program that wires them, what looks at all of them.
fn strangers(context: &str) -> impl Iterator<Item = &'static str> {
    CONTEXTS
        .into_iter()
        .chain(["gateway", "rentalbook", "bench", "model"])
        .filter(move |name| *name != context)
}

/// The context that a file is of.
pub(crate) fn context_of(path: &str) -> Option<&'static str> {
    let folder = path.strip_prefix("contexts/")?.split('/').next()?;
    CONTEXTS.into_iter().find(|context| *context == folder)
}

/// A context names no other one in its sources, tests included.
fn named_in_sources(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let Some(context) = context_of(&source.path) else { continue };
        for path in Code::of(source).paths() {
            if let Some(root) = path.root()
                && strangers(context).any(|stranger| stranger == root)
            {
                found.push(format!("{}:{}: {context} names {}", source.path, path.line, path.text()));
            }
        }
    }
    found
}

/// A context names no other one in its manifest.
fn named_in_manifests(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages {
        let Some(context) = context_of(&format!("{}/", package.folder)) else { continue };
        for dependency in package.all_dependencies() {
            if strangers(context).any(|stranger| stranger == dependency) {
                found.push(format!("{}/Cargo.toml: {context} depends on {dependency}", package.folder));
            }
        }
    }
    found
}

/// Only the program and the measurements depend on more than one context.
fn know_several(packages: &[Package]) -> Vec<String> {
    let others = packages.iter().filter(|package| !KNOW_SEVERAL.contains(&package.name.as_str()));
    let several = others.filter_map(|package| {
        let known: Vec<_> = package.all_dependencies().filter(|name| CONTEXTS.contains(name)).collect();
        (known.len() > 1)
            .then(|| format!("{}/Cargo.toml: depends on {}", package.folder, known.join(" and ")))
    });
    several.collect()
}

/// Nobody depends on the model, not even a test: what it needs would be built for the program too.
fn needs_the_model(packages: &[Package]) -> Vec<String> {
    let needs = packages.iter().filter(|package| package.all_dependencies().any(|name| name == "model"));
    needs.map(|package| format!("{}/Cargo.toml: depends on the model", package.folder)).collect()
}

/// The published language depends on nothing of ours.
fn contracts_know_nobody(packages: &[Package]) -> Vec<String> {
    let names: Vec<_> = packages.iter().map(|package| package.name.as_str()).collect();
    let contracts = packages.iter().filter(|package| package.folder == "contracts");
    contracts
        .flat_map(|package| package.all_dependencies())
        .filter(|name| names.contains(name) || name.starts_with("platform-") || CONTEXTS.contains(name))
        .map(|name| format!("contracts/Cargo.toml: depends on {name}"))
        .collect()
}

/// Nothing is decided in the view, so there is nowhere to put a decision.
fn mypage_decides_nothing(sources: &[Source]) -> Vec<String> {
    let domain = sources.iter().filter(|source| {
        source.path.starts_with("contexts/mypage/src/domain/")
            || source.path == "contexts/mypage/src/domain.rs"
    });
    domain.map(|source| format!("{}: mypage derives, it does not decide", source.path)).collect()
}

#[test]
fn a_context_names_no_other_context() {
    let sources = tree::rust();
    for context in CONTEXTS {
        assert!(
            sources.iter().any(|source| context_of(&source.path) == Some(context)),
            "{context} has sources"
        );
    }
    none_of(&named_in_sources(&sources));
    none_of(&named_in_manifests(&packages()));

    caught(
        &named_in_sources(&planted("contexts/order/src/x.rs", "use rent::domain::Rent;")),
        "rent::domain::Rent",
    );
    caught(&named_in_sources(&planted("contexts/rent/tests/it/x.rs", "fn f() { order::f() }")), "order::f");
    caught(&named_in_manifests(&graph::planted("order", "contexts/order", &["contracts", "rent"])), "rent");
    none_of(&named_in_sources(&planted(
        "contexts/rent/src/x.rs",
        "fn f(order: i64) -> i64 { order } // order::f",
    )));
}

#[test]
fn only_the_program_knows_several_contexts() {
    none_of(&know_several(&packages()));
    none_of(&contracts_know_nobody(&packages()));
    none_of(&needs_the_model(&packages()));

    caught(
        &know_several(&graph::planted("gateway", "gateway", &["order", "axum", "rent"])),
        "order and rent",
    );
    caught(
        &contracts_know_nobody(&graph::planted("contracts", "contracts", &["platform-http"])),
        "platform-http",
    );
    caught(
        &needs_the_model(&graph::planted("rentalbook", "apps/rentalbook", &["order", "model"])),
        "the model",
    );
}

#[test]
fn the_view_has_no_domain() {
    none_of(&mypage_decides_nothing(&tree::rust()));
    caught(&mypage_decides_nothing(&planted("contexts/mypage/src/domain/row.rs", "")), "does not decide");
}
