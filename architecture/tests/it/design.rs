//! The drawings show what the code does, no less and no more.
//!
//! A sticky is a node `id["Name<br/>이름"]:::class` of a mermaid drawing; its class says what it is, and its colour.

use std::collections::BTreeSet;

use contracts::decode;

use crate::{
    graph::CONTEXTS,
    none_of,
    process::{ACTORS, AGGREGATES, COMMANDS, Layer, POLICIES, Policy, READ_MODELS, SHARED_FILES, event_name},
    tokens::Code,
    tree::{Source, file, modules, root},
};

const BOARD: &str = "docs/design/event-storming.md";
const HEXAGONS: &str = "docs/design/hexagons.md";

/// Classes of the board and how they are filled: the colours of event storming.
const COLOURS: [(&str, &str); 6] = [
    ("actor", "#fff2a8"),
    ("command", "#a6c8ff"),
    ("aggregate", "#ffe066"),
    ("event", "#ffb366"),
    ("policy", "#d9b3ff"),
    ("readmodel", "#b7e4a8"),
];

/// A node of a drawing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sticky {
    class: String,
    id: String,
    /// The lines on it.
    lines: Vec<String>,
}

fn stickies(text: &str) -> Vec<Sticky> {
    text.lines().filter_map(sticky).collect()
}

fn sticky(line: &str) -> Option<Sticky> {
    let (id, rest) = line.trim().split_once("[\"")?;
    let (label, class) = rest.split_once("\"]:::")?;
    let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
    (word(id) && word(class)).then(|| Sticky {
        class: class.to_owned(),
        id: id.to_owned(),
        lines: label.split("<br/>").map(str::to_owned).collect(),
    })
}

/// The ids of all stickies of a class.
fn ids(stickies: &[Sticky], class: &str) -> BTreeSet<String> {
    stickies.iter().filter(|sticky| sticky.class == class).map(|sticky| sticky.id.clone()).collect()
}

/// What is on one side only.
pub(crate) fn differences(what: &str, drawn: &BTreeSet<String>, known: &BTreeSet<String>) -> Vec<String> {
    let missing = known.difference(drawn).map(|name| format!("{what} {name} is not drawn"));
    let surplus =
        drawn.difference(known).map(|name| format!("{what} {name} is drawn, but there is none in the code"));
    missing.chain(surplus).collect()
}

pub(crate) fn set<T: Into<String>>(names: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    names.into_iter().map(Into::into).collect()
}

/// Every event of the published language: its golden lines have one of each, which its own tests see to.
fn events() -> BTreeSet<String> {
    let golden = file("contracts/events/golden.jsonl");
    let kinds =
        golden.lines().map(|line| decode(line.as_bytes(), String::new).expect("golden").expect("known").kind);
    kinds.map(|kind| event_name(&kind).to_owned()).collect()
}

fn policy_id(policy: &Policy) -> String {
    format!("{}_{}", policy.context, policy.file)
}

/// What is wrong with the board.
fn board_mistakes(text: &str) -> Vec<String> {
    let stickies = stickies(text);
    let known = [
        ("actor", set(ACTORS)),
        ("command", set(COMMANDS.map(|command| command.name))),
        ("aggregate", set(AGGREGATES.map(|(name, _)| name))),
        ("event", events()),
        ("policy", POLICIES.iter().map(policy_id).collect()),
        ("readmodel", set(READ_MODELS.map(|(name, _)| name))),
    ];
    let mut mistakes: Vec<_> =
        known.iter().flat_map(|(class, names)| differences(class, &ids(&stickies, class), names)).collect();
    for sticky in &stickies {
        let label = sticky.lines.concat();
        if !label.chars().any(is_hangul) || !label.chars().any(|c| c.is_ascii_alphabetic()) {
            mistakes.push(format!("{}: not in both languages: {label}", sticky.id));
        }
        if !known.iter().any(|(class, _)| *class == sticky.class) {
            mistakes.push(format!("{}: there is no class {}", sticky.id, sticky.class));
        }
        if ["event", "command"].contains(&sticky.class.as_str()) && sticky.lines.first() != Some(&sticky.id) {
            mistakes.push(format!("{}: does not show its name", sticky.id));
        }
    }
    mistakes.extend(colour_mistakes(text));
    mistakes
}

/// Every drawing that uses a class fills it in its colour.
fn colour_mistakes(text: &str) -> Vec<String> {
    let mut mistakes = Vec::new();
    for (at, drawing) in text.split("```mermaid").skip(1).enumerate() {
        let drawing = drawing.split("```").next().unwrap_or_default();
        for (class, colour) in COLOURS {
            let used = drawing.contains(&format!(":::{class}"));
            let filled = drawing.contains(&format!("classDef {class} fill:{colour}"));
            if used && !filled {
                mistakes.push(format!("drawing {}: {class} is not filled {colour}", at + 1));
            }
        }
    }
    mistakes
}

fn is_hangul(letter: char) -> bool {
    ('가'..='힣').contains(&letter)
}

/// The arrows of a drawing, from node to node, without what is written on them.
fn arrows(drawing: &str) -> BTreeSet<(String, String)> {
    let mut arrows = BTreeSet::new();
    for line in drawing.lines().filter(|line| line.contains("->")) {
        let line = line.replace("-.->", "-->").replace(".->", "-->");
        let written =
            |part: &str| part.split(" -- ").next().and_then(|part| part.split(" -. ").next()).map(nodes);
        let ends: Vec<Vec<String>> = line.split("-->").filter_map(written).collect();
        for pair in ends.windows(2) {
            arrows.extend(
                pair[0].iter().flat_map(|from| pair[1].iter().map(move |to| (from.clone(), to.clone()))),
            );
        }
    }
    arrows
}

fn nodes(text: &str) -> Vec<String> {
    text.split('&').map(|node| node.trim().to_owned()).collect()
}

/// Whether a way along the arrows leads from one node to another.
fn leads(arrows: &BTreeSet<(String, String)>, from: &str, to: &str) -> bool {
    let mut reached = set([from]);
    loop {
        let next = arrows.iter().filter(|(start, _)| reached.contains(start)).map(|(_, end)| end.clone());
        let more: BTreeSet<_> = next.chain(reached.iter().cloned()).collect();
        if more.contains(to) || more.len() == reached.len() {
            return more.contains(to);
        }
        reached = more;
    }
}

/// What is wrong with the arrows of the board: an event leads to exactly the policies that answer it and to the
/// view; a command and a policy lead to what they say.
fn arrow_mistakes(text: &str) -> Vec<String> {
    let drawings: Vec<_> =
        text.split("```mermaid").skip(1).map(|rest| rest.split("```").next().unwrap_or("")).collect();
    let drawings: Vec<_> = drawings.into_iter().map(arrows).collect();
    let events = events();
    let drawn = drawings.iter().flatten().filter(|(from, _)| events.contains(from));
    let drawn = drawn.map(|(from, to)| format!("{from} to {to}")).collect();
    let answers = POLICIES.iter().flat_map(|policy| {
        policy.whenever.iter().map(move |event| format!("{event} to {}", policy_id(policy)))
    });
    let known = answers.chain(events.iter().map(|event| format!("{event} to MyPage"))).collect();
    let mut mistakes = differences("the arrow from", &drawn, &known);

    let commands = COMMANDS.iter().map(|command| (command.name.to_owned(), command.says));
    let policies = POLICIES.iter().map(|policy| (policy_id(policy), policy.says));
    for (from, says) in commands.chain(policies) {
        for said in says.iter().filter(|said| !drawings.iter().any(|arrows| leads(arrows, &from, said))) {
            mistakes.push(format!("no way from {from} to {said}"));
        }
    }
    mistakes
}

#[test]
fn the_board_shows_every_event_command_and_policy_and_nothing_else() {
    none_of(&board_mistakes(&file(BOARD)));
    none_of(&arrow_mistakes(&file(BOARD)));
}

#[test]
fn a_board_that_differs_from_the_code_is_noticed() {
    let board = file(BOARD);
    let finds = |changed: String, what: &str| {
        let mistakes = board_mistakes(&changed);
        assert!(mistakes.iter().any(|mistake| mistake.contains(what)), "\"{what}\" is not in {mistakes:#?}");
    };
    let without = |id: &str| {
        let needle = format!("{id}[\"");
        board.lines().filter(|line| !line.trim().starts_with(&needle)).collect::<Vec<_>>().join("\n")
    };
    finds(without("RentReinstated"), "event RentReinstated is not drawn");
    finds(without("HandOver"), "command HandOver is not drawn");
    finds(without("delivery_on_ordered"), "policy delivery_on_ordered is not drawn");
    let with = |line: &str| format!("{board}\n```mermaid\nflowchart LR\n{line}\n```\n");
    finds(with("BookLost[\"BookLost<br/>분실\"]:::event"), "event BookLost is drawn");
    finds(with("Ordered[\"Ordered<br/>confirmed\"]:::event"), "not in both languages");
    finds(with("Ordered[\"Ordered<br/>확정\"]:::event"), "event is not filled");

    let finds = |changed: String, what: &str| {
        let mistakes = arrow_mistakes(&changed);
        assert!(mistakes.iter().any(|mistake| mistake.contains(what)), "\"{what}\" is not in {mistakes:#?}");
    };
    finds(with("Rented --> rent_on_order_rejected"), "from Rented to rent_on_order_rejected is drawn");
    let gone =
        |arrow: &str| board.lines().filter(|line| !line.contains(arrow)).collect::<Vec<_>>().join("\n");
    finds(gone("Ordered --> delivery_on_ordered"), "from Ordered to delivery_on_ordered is not drawn");
    finds(gone("Delivery -- too late"), "no way from delivery_on_rent_canceled to CancelRejected");
}

/// `EventKind::X … => ReactionKind::Y` in the inbound adapter: which events a context answers.
fn consumed(context: &str) -> BTreeSet<String> {
    let text = file(&format!("contexts/{context}/src/adapters/inbound/events.rs"));
    let answered = text.lines().filter(|line| line.contains("=> ReactionKind::"));
    let names = answered.filter_map(|line| line.trim().strip_prefix("EventKind::"));
    names.map(|name| name.chars().take_while(|c| c.is_alphanumeric()).collect()).collect()
}

/// The facts that a file of `domain/` names.
fn said(context: &str, module: &str) -> BTreeSet<String> {
    let path = format!("contexts/{context}/src/domain/{module}.rs");
    let source = Source { text: file(&path), path };
    let paths = Code::of(&source).paths();
    let facts = paths.iter().filter(|path| path.segments.len() == 2 && path.segments[0] == "Fact");
    facts.map(|path| path.segments[1].clone()).collect()
}

#[test]
fn the_table_of_the_process_is_what_the_code_does() {
    let mut mistakes = Vec::new();
    for (aggregate, context) in AGGREGATES {
        let commands = COMMANDS.iter().filter(|command| command.context == context);
        let policies = POLICIES.iter().filter(|policy| policy.context == context);
        let answered = set(policies.clone().flat_map(|policy| policy.whenever.iter().copied()));
        mistakes.extend(differences(&format!("{context} answers"), &answered, &consumed(context)));

        let decisions = commands.clone().map(|c| (c.file, c.says));
        let decisions =
            decisions.chain(policies.clone().filter(|p| p.layer == Layer::Domain).map(|p| (p.file, p.says)));
        let decisions: Vec<_> = decisions.collect();
        for (module, says) in &decisions {
            let what = format!("{context}/{module} says");
            mistakes.extend(differences(&what, &set(says.iter().copied()), &said(context, module)));
        }
        let known = set(decisions.iter().map(|(module, _)| *module).chain([context]));
        let there = set(modules(&format!("contexts/{context}/src/domain")));
        mistakes.extend(differences(&format!("{context}/domain"), &known, &there));

        let cases = commands.map(|command| command.file);
        let cases = cases.chain(policies.filter(|p| p.layer == Layer::Application).map(|p| p.file));
        let mut known = set(cases.chain(READ_MODELS.iter().filter_map(|(_, path)| {
            path.strip_prefix(&format!("contexts/{context}/src/application/"))?.strip_suffix(".rs")
        })));
        let there = set(modules(&format!("contexts/{context}/src/application")));
        known.extend(
            SHARED_FILES.iter().map(|(name, _)| (*name).to_owned()).filter(|name| there.contains(name)),
        );
        mistakes.extend(differences(&format!("{context}/application"), &known, &there));

        let noun = file(&format!("contexts/{context}/src/domain/{context}.rs"));
        if !noun.contains(&format!("pub struct {aggregate} ")) {
            mistakes.push(format!("{context} has no {aggregate}"));
        }
    }
    for command in &COMMANDS {
        let text = file(&format!("contexts/{}/src/application/{}.rs", command.context, command.file));
        if !text.contains(&format!("pub struct {} ", command.name)) {
            mistakes.push(format!("{} is not in its file", command.name));
        }
    }
    for (name, path) in READ_MODELS {
        if !root().join(path).exists() {
            mistakes.push(format!("{name}: there is no {path}"));
        }
    }
    none_of(&mistakes);
}

#[test]
fn what_a_policy_answers_and_says_are_events() {
    let events = events();
    let named = POLICIES.iter().flat_map(|policy| policy.whenever.iter().chain(policy.says));
    let named = named.chain(COMMANDS.iter().flat_map(|command| command.says));
    let unknown: Vec<_> = named.filter(|name| !events.contains(**name)).collect();
    assert!(unknown.is_empty(), "no events: {unknown:?}");
    // Every event is said by somebody.
    let said = POLICIES
        .iter()
        .flat_map(|policy| policy.says)
        .chain(COMMANDS.iter().flat_map(|command| command.says));
    assert_eq!(set(said.copied()), events);
}

/// The part of the drawings that is about a context: from its heading to the next one.
fn chapter<'t>(text: &'t str, context: &str) -> &'t str {
    let heading = format!("\n## {context}");
    let Some((_, rest)) = text.split_once(&heading) else { return "" };
    rest.split("\n## ").next().unwrap_or_default()
}

/// The ports of a context: the traits that others fill.
fn ports(context: &str) -> BTreeSet<String> {
    let path = match context {
        "mypage" => "contexts/mypage/src/query.rs".to_owned(),
        _ => format!("contexts/{context}/src/application/ports.rs"),
    };
    let text = file(&path);
    let traits = text.lines().filter_map(|line| line.strip_prefix("pub trait "));
    traits.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric()).collect()).collect()
}

/// What is in the middle of a context.
fn use_cases(context: &str) -> BTreeSet<String> {
    if context == "mypage" {
        return set(["projection", "query", "rebuild", "record"]);
    }
    let mut cases = set(modules(&format!("contexts/{context}/src/application")));
    cases.remove("ports");
    cases
}

fn hexagon_mistakes(text: &str, context: &str) -> Vec<String> {
    let drawn = |class: &str| {
        let of_class = stickies(chapter(text, context)).into_iter().filter(|sticky| sticky.class == class);
        of_class.map(|sticky| sticky.lines[0].trim_end_matches(".rs").to_owned()).collect::<BTreeSet<_>>()
    };
    let adapters = |side: &str| set(modules(&format!("contexts/{context}/src/adapters/{side}")));
    let mut mistakes = Vec::new();
    for (class, known) in [
        ("inbound", adapters("inbound")),
        ("outbound", adapters("outbound")),
        ("usecase", use_cases(context)),
        ("port", ports(context)),
    ] {
        assert!(!known.is_empty(), "{context} has {class}");
        mistakes.extend(differences(&format!("{context}: {class}"), &drawn(class), &known));
    }
    mistakes
}

#[test]
fn the_hexagons_show_the_adapters_use_cases_and_ports_there_are() {
    let text = file(HEXAGONS);
    none_of(&CONTEXTS.iter().flat_map(|context| hexagon_mistakes(&text, context)).collect::<Vec<_>>());

    let changed = text.replace("[\"guarded_desk.rs", "[\"kafka_desk.rs");
    let mistakes = hexagon_mistakes(&changed, "order").join("\n");
    assert!(
        mistakes.contains("guarded_desk is not drawn") && mistakes.contains("kafka_desk is drawn"),
        "{mistakes}"
    );
}
