//! The context map shows every context, what kind it is and what it says.

use std::collections::BTreeSet;

use crate::{
    design::{differences, set},
    graph::CONTEXTS,
    none_of,
    process::{COMMANDS, KINDS, POLICIES},
    tree::file,
};

const MAP: &str = "docs/design/context-map.md";

/// The lines on the node of a context.
fn node<'m>(map: &'m str, context: &str) -> Option<Vec<&'m str>> {
    let start = format!("  {context}[\"");
    let label = map.lines().find_map(|line| line.strip_prefix(&start)?.strip_suffix("\"]"))?;
    Some(label.split("<br/>").collect())
}

/// The events on the arrow from a context to the published language.
fn said_on_map(map: &str, context: &str) -> BTreeSet<String> {
    let start = format!("  {context} -. \"");
    let label = map.lines().find_map(|line| line.strip_prefix(&start)?.strip_suffix("\" .-> language"));
    let events = label.unwrap_or_default().replace("<br/>", " ");
    events.split(',').map(|event| event.trim().to_owned()).filter(|event| !event.is_empty()).collect()
}

/// The events that decisions of a context may say.
fn said_in_code(context: &str) -> BTreeSet<String> {
    let by_policies =
        POLICIES.iter().filter(|policy| policy.context == context).flat_map(|policy| policy.says);
    let by_commands =
        COMMANDS.iter().filter(|command| command.context == context).flat_map(|command| command.says);
    set(by_policies.chain(by_commands).copied())
}

/// The first word of the second cell in the row of a context.
fn kind_in_table<'m>(map: &'m str, context: &str) -> Option<&'m str> {
    let row = map.lines().find(|line| line.starts_with(&format!("| {context} ")) && has_kind(line))?;
    row.split('|').nth(2).map(str::trim)
}

fn has_kind(row: &str) -> bool {
    row.split('|').nth(2).is_some_and(|cell| KINDS.iter().any(|(_, kind)| cell.trim() == *kind))
}

fn mistakes(map: &str) -> Vec<String> {
    let mut mistakes = Vec::new();
    for (context, kind) in KINDS {
        let Some(lines) = node(map, context) else {
            mistakes.push(format!("{context} is on no map"));
            continue;
        };
        let drawn = lines.get(1).and_then(|line| line.split([',', ' ']).next());
        if drawn != Some(kind) {
            mistakes.push(format!("{context} is {kind}, but drawn as {drawn:?}"));
        }
        let told = kind_in_table(map, context);
        if told != Some(kind) {
            mistakes.push(format!("{context} is {kind}, but the table says {told:?}"));
        }
        let events =
            differences(&format!("{context}: the event"), &said_on_map(map, context), &said_in_code(context));
        mistakes.extend(events);
    }
    mistakes
}

#[test]
fn the_map_shows_every_context_its_kind_and_what_it_says() {
    assert_eq!(set(KINDS.map(|(context, _)| context)), set(CONTEXTS.into_iter().chain(["gateway"])));
    let map = file(MAP);
    none_of(&mistakes(&map));

    for (there, instead, mistake) in [
        ("  gateway[\"", "  door[\"", "gateway is on no map"),
        ("RentReinstated\"", "RentRevived\"", "rent: the event RentReinstated is not drawn"),
        ("RentReinstated\"", "RentRevived\"", "rent: the event RentRevived is drawn, but there is none"),
        ("OrderDeferred,", "", "order: the event OrderDeferred is not drawn"),
        ("ParcelPrepared,", "Ordered,", "delivery: the event Ordered is drawn, but there is none"),
        ("  delivery -. ", "  rent -. ", "delivery: the event CancelRejected is not drawn"),
        ("대여<br/>core", "대여<br/>generic", "rent is core, but drawn as Some(\"generic\")"),
        (
            "| delivery 배송 | supporting",
            "| delivery 배송 | core",
            "delivery is supporting, but the table says",
        ),
    ] {
        assert!(map.contains(there), "{there}");
        let found = mistakes(&map.replace(there, instead)).join("\n");
        assert!(found.contains(mistake), "{instead}: {found}");
    }
}
