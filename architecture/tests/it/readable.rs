//! What keeps the code readable and honest.

use crate::{
    caught, none_of,
    tokens::Code,
    tree::{self, Source, is_test, planted},
};

/// Most lines of a file. Longer ones are two things.
const MOST_LINES: usize = 500;

/// A file is short enough to be read at once; tests may be long lists.
fn too_long(sources: &[Source]) -> Vec<String> {
    let code = sources.iter().filter(|source| !is_test(&source.path));
    let long =
        code.map(|source| (source, source.text.lines().count())).filter(|(_, lines)| *lines > MOST_LINES);
    long.map(|(source, lines)| format!("{}: {lines} lines, at most {MOST_LINES}", source.path)).collect()
}

/// `unwrap` says nothing about why it cannot fail; `expect` with the reason does, and an answer is better still.
fn unwraps(sources: &[Source]) -> Vec<String> {
    let code = sources.iter().filter(|source| !is_test(&source.path));
    let lines =
        code.flat_map(|source| Code::of(source).calls("unwrap").into_iter().map(move |line| (source, line)));
    lines.map(|(source, line)| format!("{}:{line}: unwrap()", source.path)).collect()
}

#[test]
fn files_are_short() {
    none_of(&too_long(&tree::rust()));
    caught(&too_long(&planted("gateway/src/lib.rs", &"\n".repeat(MOST_LINES + 1))), "501 lines");
    none_of(&too_long(&planted("gateway/tests/it/main.rs", &"\n".repeat(MOST_LINES + 1))));
}

#[test]
fn nothing_is_unwrapped_outside_tests() {
    none_of(&unwraps(&tree::rust()));
    caught(&unwraps(&planted("gateway/src/lib.rs", "fn f() {\n  g().unwrap();\n}")), "lib.rs:2");
    none_of(&unwraps(&planted(
        "gateway/src/lib.rs",
        "fn f() { g().unwrap_or(1); } // .unwrap()\n#[cfg(test)] mod t { fn f() { g().unwrap() } }",
    )));
}
