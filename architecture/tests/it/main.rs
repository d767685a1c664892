//! Who may name whom, and whether the documents tell the truth.
//!
//! Every rule is a function from sources (or from the graph of packages) to violations. It runs on the real tree,
//! where it has to find nothing, and on a planted violation, which it has to find: a guard that cannot fail guards
//! nothing.

mod commands;
mod contexts;
mod design;
mod documents;
mod graph;
mod layers;
mod map;
mod platform;
mod process;
mod readable;
mod tokens;
mod tree;

/// Fails with every violation, one a line.
#[track_caller]
fn none_of(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// Fails unless the planted violation was found: exactly one, and it says `what`.
#[track_caller]
fn caught(violations: &[String], what: &str) {
    assert_eq!(violations.len(), 1, "one violation was planted: {violations:#?}");
    assert!(violations[0].contains(what), "\"{what}\" is not in: {}", violations[0]);
}
