//! Within a context: who may name whom.

use std::collections::BTreeSet;

use crate::{
    caught,
    contexts::context_of,
    graph::{crates, packages},
    none_of,
    tokens::{Code, Path},
    tree::{self, Source, is_test, planted},
};

/// What touches the world outside the program, or the time of day. `domain/` has none of it.
const OUTSIDE: [&str; 8] = ["fs", "net", "time", "io", "process", "thread", "env", "os"];

/// Keywords and types that a decision does not use, wherever they come from.
const NOT_PURE: [&str; 4] = ["async", "await", "SystemTime", "Instant"];

/// Hashing that is another in every process: what goes through such a map comes in another sequence each time.
const RANDOM: [&str; 4] = ["RandomState", "DefaultHasher", "HashMap", "HashSet"];

/// Where one of them is looked into and never gone through: file and name.
const ONLY_LOOKED_INTO: [(&str, &str); 1] = [("contexts/rent/src/domain/confirm_rent.rs", "HashSet")];

/// Macros that write to the terminal, or bring in code that no rule has seen. What is said is said by facts, and
/// logged where it is handled.
const NOT_CALLED: [&str; 6] = ["print", "println", "eprint", "eprintln", "dbg", "include"];

/// Crates that keep rows or records. A record comes in from whichever bus there is.
const STORES: [&str; 8] = [
    "rusqlite",
    "redb",
    "platform_storage",
    "platform_postgres",
    "tokio_postgres",
    "redis",
    "platform_bus_kafka",
    "rdkafka",
];

/// Runs `rule` on every path of the code of every file in `layer` of a context.
fn in_layer(sources: &[Source], layer: &str, rule: impl Fn(&str, &Path) -> Option<String>) -> Vec<String> {
    let is_there = |context: &str, path: &str| path.starts_with(&format!("contexts/{context}/src/{layer}/"));
    in_files(sources, is_there, |context, _, path| rule(context, path))
}

/// Runs `rule` on every path of the code of the files of contexts that `is_there` names; tests apart.
fn in_files(
    sources: &[Source],
    is_there: impl Fn(&str, &str) -> bool,
    rule: impl Fn(&str, &str, &Path) -> Option<String>,
) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !is_test(&source.path)) {
        let Some(context) = context_of(&source.path) else { continue };
        if !is_there(context, &source.path) {
            continue;
        }
        for path in Code::of(source).paths() {
            let violation = rule(context, &source.path, &path);
            found.extend(violation.map(|why| format!("{}:{}: {why}", source.path, path.line)));
        }
    }
    found
}

/// A name that leaves the crate.
fn foreign<'p>(context: &str, path: &'p Path, crates: &BTreeSet<String>) -> Option<&'p str> {
    path.root().filter(|root| *root != context && crates.contains(*root))
}

/// What hides the names that a rule looks for: everything of a foreign module, or a crate under another name.
fn hides_names(context: &str, path: &Path, crates: &BTreeSet<String>) -> Option<String> {
    foreign(context, path, crates)?;
    let names = path.segments.iter().filter(|segment| *segment != "self").count();
    let whole = path.used && names == 1;
    (path.glob || whole).then(|| format!("takes more of another crate than is seen here: {}", path.text()))
}

/// `domain/` is pure: no I/O, async, clock or random, no other layer, no crate but serde's derive and thiserror.
fn impure(sources: &[Source], crates: &BTreeSet<String>) -> Vec<String> {
    let is_there = |context: &str, path: &str| path.starts_with(&format!("contexts/{context}/src/domain/"));
    in_files(sources, is_there, |context, file, path| {
        impurity(context, file, path, crates, &["serde", "thiserror"])
    })
}

/// What mypage has instead of a domain is as pure: its projection, which knows the published events, and what can be
/// asked, which declares a port.
fn impure_without_domain(sources: &[Source], crates: &BTreeSet<String>) -> Vec<String> {
    let of = |name: &'static str, allowed: &'static [&str]| {
        let is_there = move |_: &str, path: &str| path == format!("contexts/mypage/src/{name}.rs");
        in_files(sources, is_there, |context, file, path| impurity(context, file, path, crates, allowed))
    };
    [of("projection", &["contracts"]), of("query", &["async", "async_trait", "thiserror"])].concat()
}

/// What is not pure about a path, but for crates and words that are allowed there.
fn impurity(
    context: &str,
    file: &str,
    path: &Path,
    crates: &BTreeSet<String>,
    allowed: &[&str],
) -> Option<String> {
    let text = path.text();
    if path.has("application") || path.has("adapters") {
        return Some(format!("domain names another layer: {text}"));
    }
    let is_meant = |word: &&str| path.has(word) && !allowed.contains(word);
    if NOT_PURE.iter().chain(&NOT_CALLED).any(is_meant) {
        return Some(format!("domain is not pure: {text}"));
    }
    if RANDOM.iter().any(|name| path.has(name) && !ONLY_LOOKED_INTO.contains(&(file, name))) {
        return Some(format!("domain depends on a random sequence: {text}"));
    }
    if let Some(hidden) = hides_names(context, path, crates) {
        return Some(format!("domain {hidden}"));
    }
    match foreign(context, path, crates)? {
        "std" | "core" | "alloc" => {
            let outside =
                OUTSIDE.iter().any(|module| path.segments.get(1).is_some_and(|found| found == module));
            outside.then(|| format!("domain names the outside: {text}"))
        }
        name if allowed.contains(&name) => None,
        _ => Some(format!("domain names a crate: {text}")),
    }
}

/// `application/` names its domain, its ports, and what waits or logs: no wire, no SQL, no adapter, no clock but
/// its port's.
fn knows_the_outside(sources: &[Source], crates: &BTreeSet<String>) -> Vec<String> {
    in_layer(sources, "application", |context, path| {
        let text = path.text();
        if path.has("adapters") {
            return Some(format!("application names an adapter: {text}"));
        }
        if NOT_CALLED.iter().any(|word| path.has(word)) {
            return Some(format!("application calls what it has not to: {text}"));
        }
        if let Some(hidden) = hides_names(context, path, crates) {
            return Some(format!("application {hidden}"));
        }
        match foreign(context, path, crates)? {
            // `std::time::Duration` is a number; the clock is a port.
            "std" if path.starts_with(&["std", "time", "Duration"]) => None,
            "std" => {
                let outside = OUTSIDE.iter().any(|module| path.starts_with(&["std", module]));
                outside.then(|| format!("application names the outside: {text}"))
            }
            "tracing" | "async_trait" | "thiserror" | "futures_util" | "core" | "alloc" => None,
            "tokio" => {
                let waits = ["time", "sync", "spawn"].iter().any(|part| path.starts_with(&["tokio", part]));
                (!waits).then(|| format!("application names more of tokio than waiting: {text}"))
            }
            _ => Some(format!("application names a crate: {text}")),
        }
    })
}

/// What comes in does not know what goes out, and keeps no rows.
fn inbound_knows_outbound(sources: &[Source]) -> Vec<String> {
    in_layer(sources, "adapters/inbound", |_, path| {
        let stores = path.root().is_some_and(|root| STORES.contains(&root));
        (path.has("outbound") || stores).then(|| format!("inbound names {}", path.text()))
    })
}

/// What goes out does not know what comes in.
fn outbound_knows_inbound(sources: &[Source]) -> Vec<String> {
    in_layer(sources, "adapters/outbound", |_, path| {
        path.has("inbound").then(|| format!("outbound names {}", path.text()))
    })
}

#[test]
fn domain_is_pure() {
    let crates = crates(&packages());
    none_of(&impure(&tree::rust(), &crates));

    let check = |text: &str| impure(&planted("contexts/rent/src/domain/x.rs", text), &crates);
    caught(&check("use std::{collections::BTreeMap, fs};"), "std::fs");
    caught(&check("fn f() -> u64 { std::time::UNIX_EPOCH; 0 }"), "std::time");
    caught(&check("async fn f() {}"), "not pure");
    caught(&check("fn f(at: SystemTime) {}"), "SystemTime");
    caught(&check("fn f() { tokio::spawn(g()); }"), "tokio::spawn");
    caught(&check("use crate::application::ports::Clock;"), "another layer");
    caught(&check("use super::super::adapters::outbound;"), "another layer");
    caught(&check("fn f(event: contracts::Event) {}"), "contracts::Event");
    for word in ["print", "println", "eprint", "eprintln", "dbg"] {
        caught(&check(&format!("fn f() {{ {word}!(\"{{}}\", 1) }}")), word);
    }
    caught(&check("include!(\"y.rs\");"), "include");
    none_of(&check(
        "use std::collections::BTreeSet;\n#[derive(serde::Serialize, thiserror::Error)]\nenum E {}",
    ));
    none_of(&impure(&planted("contexts/rent/src/domain/tests.rs", "use proptest::prelude::*;"), &crates));
}

#[test]
fn domain_depends_on_no_random_sequence() {
    let crates = crates(&packages());
    let check = |text: &str| impure(&planted("contexts/rent/src/domain/x.rs", text), &crates);
    caught(&check("fn f() -> bool { std::hash::RandomState::new(); true }"), "RandomState");
    caught(&check("use std::collections::hash_map::RandomState as Order;"), "RandomState");
    caught(&check("use std::hash::DefaultHasher;"), "DefaultHasher");
    caught(&check("use std::{cmp, collections::HashMap as Map};"), "HashMap");
    let looked_into = |text: &str| impure(&planted(ONLY_LOOKED_INTO[0].0, text), &crates);
    none_of(&looked_into("use std::collections::HashSet;"));
    caught(&looked_into("use std::collections::HashMap;"), "HashMap");
    for (file, name) in ONLY_LOOKED_INTO {
        let is_there = tree::rust().iter().any(|source| source.path == file && source.text.contains(name));
        assert!(is_there, "{file} has no {name}: the exception is not needed");
    }
}

#[test]
fn names_are_not_hidden_from_these_rules() {
    let crates = crates(&packages());
    let domain = |text: &str| impure(&planted("contexts/rent/src/domain/x.rs", text), &crates);
    let application =
        |text: &str| knows_the_outside(&planted("contexts/order/src/application/x.rs", text), &crates);
    for hidden in ["use std::*;", "use std as s;", "use std::{self as s};", "extern crate std as s;"] {
        caught(&domain(hidden), "takes more of another crate");
        caught(&application(hidden), "takes more of another crate");
    }
    caught(&domain("use std::{cmp::Ordering, *};"), "takes more of another crate");
    caught(&domain("use std::collections::*;"), "takes more of another crate");
    caught(&application("use tokio::time::*;"), "takes more of another crate");
    none_of(&domain("use super::rent::*; use crate::domain::*;"));
}

#[test]
fn what_mypage_has_instead_of_a_domain_is_pure() {
    let crates = crates(&packages());
    none_of(&impure_without_domain(&tree::rust(), &crates));

    let check = |name: &str, text: &str| {
        impure_without_domain(&planted(&format!("contexts/mypage/src/{name}.rs"), text), &crates)
    };
    for name in ["projection", "query"] {
        caught(&check(name, "use crate::adapters::outbound::redb::RedbView;"), "another layer");
        caught(&check(name, "fn f() { std::fs::read(x); }"), "std::fs");
        caught(&check(name, "fn f(at: SystemTime) {}"), "SystemTime");
        caught(&check(name, "fn f() { tokio::spawn(g()); }"), "tokio::spawn");
        caught(&check(name, "fn f() { tracing::info!(x); }"), "tracing::info");
        caught(&check(name, "fn f() { println!(); }"), "println");
        caught(&check(name, "use std::collections::HashMap;"), "HashMap");
        caught(&check(name, "use std::*;"), "takes more of another crate");
    }
    caught(&check("projection", "async fn f() {}"), "async");
    caught(&check("query", "use contracts::Event;"), "contracts::Event");
    none_of(&check("projection", "use contracts::{Event, Timestamp};"));
    none_of(&check("query", "#[async_trait::async_trait]\ntrait V { async fn f(&self); }"));
    let found = tree::rust();
    for name in ["projection", "query"] {
        let path = format!("contexts/mypage/src/{name}.rs");
        assert!(found.iter().any(|source| source.path == path), "{path} is the file that is meant");
    }
}

#[test]
fn application_knows_its_ports_and_nothing_of_the_wire() {
    let crates = crates(&packages());
    none_of(&knows_the_outside(&tree::rust(), &crates));

    let check =
        |text: &str| knows_the_outside(&planted("contexts/order/src/application/x.rs", text), &crates);
    for name in ["axum::Router", "contracts::Event", "platform_http::Problem", "platform_storage::Sqlite"] {
        caught(&check(&format!("use {name};")), name);
    }
    caught(&check("use crate::adapters::outbound::sqlite::SqliteOrders;"), "an adapter");
    caught(&check("fn f() { tokio::fs::read(x); }"), "tokio::fs");
    caught(&check("fn f() { std::time::Instant::now(); }"), "std::time::Instant");
    for word in ["print", "println", "eprint", "eprintln", "dbg"] {
        caught(&check(&format!("fn f() {{ {word}!(\"{{}}\", 1) }}")), word);
    }
    caught(&check("include!(\"y.rs\");"), "include");
    none_of(&check(
        "use std::{sync::Arc, time::Duration};\nuse tokio::time::sleep;\nuse crate::domain::Order;",
    ));
}

#[test]
fn what_comes_in_and_what_goes_out_do_not_know_each_other() {
    none_of(&inbound_knows_outbound(&tree::rust()));
    none_of(&outbound_knows_inbound(&tree::rust()));

    let inbound =
        |text: &str| inbound_knows_outbound(&planted("contexts/mypage/src/adapters/inbound/rest.rs", text));
    caught(&inbound("use crate::adapters::outbound::redb::RedbView;"), "outbound");
    caught(&inbound("use redb::Database;"), "redb");
    caught(&inbound("fn f(c: &platform_storage::rusqlite::Connection) {}"), "rusqlite");
    caught(&inbound("use platform_bus_kafka::KafkaBus;"), "KafkaBus");
    let outbound = planted("contexts/rent/src/adapters/outbound/wire.rs", "use super::super::inbound::rest;");
    caught(&outbound_knows_inbound(&outbound), "inbound");
}
