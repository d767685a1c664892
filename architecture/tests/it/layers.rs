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
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !is_test(&source.path)) {
        let Some(context) = context_of(&source.path) else { continue };
        if !source.path.starts_with(&format!("contexts/{context}/src/{layer}/")) {
            continue;
        }
        for path in Code::of(source).paths() {
            found.extend(rule(context, &path).map(|why| format!("{}:{}: {why}", source.path, path.line)));
        }
    }
    found
}

/// A name that leaves the crate.
fn foreign<'p>(context: &str, path: &'p Path, crates: &BTreeSet<String>) -> Option<&'p str> {
    path.root().filter(|root| *root != context && crates.contains(*root))
}

/// `domain/` is pure: no I/O, async, clock or random, no other layer, no crate but serde's derive and thiserror.
fn impure(sources: &[Source], crates: &BTreeSet<String>) -> Vec<String> {
    in_layer(sources, "domain", |context, path| {
        let text = path.text();
        if path.has("application") || path.has("adapters") {
            return Some(format!("domain names another layer: {text}"));
        }
        if NOT_PURE.iter().any(|word| path.has(word)) {
            return Some(format!("domain is not pure: {text}"));
        }
        match foreign(context, path, crates)? {
            "std" | "core" | "alloc" => {
                let outside =
                    OUTSIDE.iter().any(|module| path.segments.get(1).is_some_and(|found| found == module));
                outside.then(|| format!("domain names the outside: {text}"))
            }
            "serde" | "thiserror" => None,
            _ => Some(format!("domain names a crate: {text}")),
        }
    })
}

/// `application/` names its domain, its ports, and what waits or logs: no wire, no SQL, no adapter, no clock but
/// its port's.
fn knows_the_outside(sources: &[Source], crates: &BTreeSet<String>) -> Vec<String> {
    in_layer(sources, "application", |context, path| {
        let text = path.text();
        if path.has("adapters") {
            return Some(format!("application names an adapter: {text}"));
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
    caught(&check("use std::{collections::HashMap, fs};"), "std::fs");
    caught(&check("fn f() -> u64 { std::time::UNIX_EPOCH; 0 }"), "std::time");
    caught(&check("async fn f() {}"), "not pure");
    caught(&check("fn f(at: SystemTime) {}"), "SystemTime");
    caught(&check("fn f() { tokio::spawn(g()); }"), "tokio::spawn");
    caught(&check("use crate::application::ports::Clock;"), "another layer");
    caught(&check("use super::super::adapters::outbound;"), "another layer");
    caught(&check("fn f(event: contracts::Event) {}"), "contracts::Event");
    none_of(&check(
        "use std::collections::HashSet;\n#[derive(serde::Serialize, thiserror::Error)]\nenum E {}",
    ));
    none_of(&impure(&planted("contexts/rent/src/domain/tests.rs", "use proptest::prelude::*;"), &crates));
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
