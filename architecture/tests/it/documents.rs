//! The documents name what exists.

use std::{collections::BTreeSet, path::Path};

use crate::{
    caught, none_of,
    tokens::Code,
    tree::{self, Source, file, files, is_test, planted, root},
};

/// The targets of all links of a document, without what is in code; line by line.
fn links(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut in_code) = (Vec::new(), false);
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
            continue;
        }
        if in_code {
            continue;
        }
        // What stands between back-ticks is no link.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("");
        for rest in prose.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            found.push((at + 1, target.trim_matches(['<', '>']).to_owned()));
        }
    }
    found
}

/// Links that lead nowhere: to a file that is not there, or to a heading that is not in it.
fn dead_links(documents: &[Source]) -> Vec<String> {
    let mut dead = Vec::new();
    for document in documents {
        for (line, link) in links(&document.text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, heading) =
                link.split_once('#').map_or((link.as_str(), None), |(path, at)| (path, Some(at)));
            let here = root().join(&document.path);
            let target = match path {
                "" => here,
                _ => here.parent().unwrap_or(Path::new("")).join(path),
            };
            let leads = target.exists() && heading.is_none_or(|heading| has_heading(&target, heading));
            if !leads {
                dead.push(format!("{}:{line}: {link} leads nowhere", document.path));
            }
        }
    }
    dead
}

/// Headings are only looked for in documents; `#L12` of a source is a line.
fn has_heading(target: &Path, heading: &str) -> bool {
    if target.extension().is_none_or(|extension| extension != "md") {
        return true;
    }
    let text = std::fs::read_to_string(target).unwrap_or_default();
    text.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == heading)
}

/// A heading as GitHub links it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The kinds of problem that the code answers with.
fn problems_in_code() -> BTreeSet<String> {
    let ours = |path: &str| {
        path == "platform/http/src/problem.rs"
            || path == "platform/http/src/patch.rs"
            || path.ends_with("/adapters/inbound/rest.rs")
    };
    let mut slugs = BTreeSet::new();
    for source in tree::rust().iter().filter(|source| ours(&source.path) && !is_test(&source.path)) {
        let code = Code::of(source);
        // `refused("slug", …)`; every other slug has a dash or stands after a status.
        let texts = code.texts_after("refused").into_iter().chain(after_status(source));
        slugs.extend(texts.chain(code.texts().into_iter().filter(|text| is_dashed(text))));
    }
    for other in NO_PROBLEMS {
        assert!(slugs.remove(other), "{other} is an exception from nothing");
    }
    slugs
}

/// Texts that look like a kind of problem and are something else.
const NO_PROBLEMS: [&str; 2] = ["accept-patch", "idempotency-key"];

/// The text literal that comes directly after a `StatusCode::NAME,`.
fn after_status(source: &Source) -> Vec<String> {
    let flat: String = source.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_name = |text: &str| text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let direct = flat.split("StatusCode::").skip(1).filter_map(|rest| {
        let (name, literal) = rest.split_once(", \"")?;
        is_name(name).then(|| literal.split('"').next().unwrap_or_default().to_owned())
    });
    direct.collect()
}

fn is_dashed(text: &str) -> bool {
    text.contains('-')
        && text.split('-').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase()))
}

/// The kinds of problem in the table of the document: ``| `slug` | …``.
fn problems_in_document(text: &str) -> BTreeSet<String> {
    let table =
        text.split("\n## Problems").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or_default();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(slug, _)| slug.to_owned()).collect()
}

/// Words that are said of code that is not there: the example of what could be added.
const NOT_THERE: [&str; 2] = ["renew_rent", "AUTOINCREMENT"];

/// What stands between back-ticks and can only be a name of the code: `CamelCase`, `snake_case`, `a_file.rs`.
fn names(text: &str) -> Vec<(usize, String)> {
    let mut in_code = false;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        in_code ^= line.trim_start().starts_with("```");
        if in_code {
            continue;
        }
        for span in line.split('`').skip(1).step_by(2) {
            let name = span.trim_end_matches(".rs").trim_end_matches("()");
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
            let is_camel = name.chars().filter(char::is_ascii_uppercase).count() > 1
                && name.chars().any(|c| c.is_ascii_lowercase());
            if is_name && (name.contains('_') || name.contains("::") || is_camel || span.ends_with(".rs")) {
                found.extend(name.split("::").map(|part| (at + 1, part.to_owned())));
            }
        }
    }
    found
}

/// Names in documents that no source has.
fn unknown_names(documents: &[Source], known: &BTreeSet<&str>) -> Vec<String> {
    let mut unknown = Vec::new();
    for document in documents {
        for (line, name) in names(&document.text) {
            if !known.contains(name.as_str()) && !NOT_THERE.contains(&name.as_str()) {
                unknown.push(format!("{}:{line}: there is no {name}", document.path));
            }
        }
    }
    unknown
}

#[test]
fn every_name_is_one_of_the_code() {
    let mut sources = tree::rust();
    for kind in [".toml", ".sql", "/Makefile"] {
        sources.extend(files(kind));
    }
    // This very file names what is not there.
    sources.retain(|source| !source.path.ends_with("architecture/tests/it/documents.rs"));
    let words =
        sources.iter().flat_map(|source| source.text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    let files = sources.iter().filter_map(|source| source.path.rsplit('/').next()?.strip_suffix(".rs"));
    let known: BTreeSet<_> = words.chain(files).collect();
    none_of(&unknown_names(&tree::files(".md"), &known));

    let check = |text: &str| unknown_names(&planted("docs/x.md", text), &known);
    caught(&check("see `place_odrer`"), "place_odrer");
    caught(&check("see\n`NoSuchType::new`"), "docs/x.md:2");
    caught(&check("see `no_such_file.rs`"), "no_such_file");
    none_of(&check("`place_order.rs`, `Orders::new()`, `Order Cancel`, `PATCH`"));
}

#[test]
fn every_link_leads_somewhere() {
    none_of(&dead_links(&files(".md")));

    let check = |text: &str| dead_links(&planted("docs/x.md", text));
    caught(&check("see [this](no-such-file.md)"), "docs/x.md:1");
    caught(&check("see [this](../Cargo.toml) and\n[that](../contracts/src/nothing.rs#L1)"), "docs/x.md:2");
    caught(&check("see [this](api.md#no-such-heading)"), "no-such-heading");
    none_of(&check(
        "[a](https://example.org/x) [b](../Cargo.toml#L3) `[c](d)` [e](api.md#problems)\n```\n[f](g)\n```",
    ));
}

#[test]
fn every_event_is_documented_as_it_is_written() {
    let document = file("docs/events.md");
    let lines: BTreeSet<_> = document.lines().filter(|line| line.starts_with("{\"eventType\"")).collect();
    let golden = file("contracts/events/golden.jsonl");
    assert_eq!(lines, golden.lines().collect(), "docs/events.md shows every golden line, and nothing else");
}

#[test]
fn every_problem_is_documented() {
    let (code, document) = (problems_in_code(), problems_in_document(&file("docs/api.md")));
    assert!(code.contains("unavailable") && code.contains("not-confirmed-yet"), "{code:?}");
    assert_eq!(document, code, "the table of problems in docs/api.md");
}

#[test]
fn decisions_are_numbered_without_gaps_and_name_what_was_not_taken() {
    let mut decisions: Vec<_> =
        files(".md").into_iter().filter(|document| document.path.starts_with("docs/decisions/0")).collect();
    decisions.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!decisions.is_empty(), "there are decisions");
    for (at, decision) in decisions.iter().enumerate() {
        let number = format!("docs/decisions/{:04}-", at + 1);
        assert!(decision.path.starts_with(&number), "{} should be {number}…", decision.path);
        for heading in ["## Decision", "## Not taken", "## Consequences"] {
            assert!(decision.text.contains(heading), "{} has no {heading}", decision.path);
        }
    }
}
