//! A source as tokens: comments are no code, and a name in a macro or in a group of a `use` is a name all the same.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

use crate::tree::Source;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Literal(String),
    /// `::`
    Sep,
    Punct(char),
    Open(Delimiter),
    Close,
}

/// A path such as `std::fs::read`, or a single word.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    /// In a `use` or an `extern crate`.
    pub(crate) used: bool,
    /// It ends in `::*`: everything that is there.
    pub(crate) glob: bool,
}

impl Path {
    /// Its first segment, where that may be a crate: a word alone is a variable, a field or a keyword.
    pub(crate) fn root(&self) -> Option<&str> {
        (self.segments.len() > 1 || self.used).then(|| self.segments[0].as_str())
    }

    pub(crate) fn has(&self, segment: &str) -> bool {
        self.segments.iter().any(|found| found == segment)
    }

    /// Whether it is `prefix` or goes on from there.
    pub(crate) fn starts_with(&self, prefix: &[&str]) -> bool {
        self.segments.len() >= prefix.len() && self.segments.iter().zip(prefix).all(|(a, b)| a == b)
    }

    pub(crate) fn text(&self) -> String {
        self.segments.join("::")
    }
}

/// The code of a file, without what is only compiled for tests.
pub(crate) struct Code(Vec<(Token, usize)>);

impl Code {
    /// # Panics
    /// Where the text is not Rust: then no rule could be trusted.
    pub(crate) fn of(source: &Source) -> Self {
        let stream: TokenStream =
            source.text.parse().unwrap_or_else(|error| panic!("{} is not Rust: {error}", source.path));
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        Self(without_tests(tokens))
    }

    /// Every path and every single word.
    pub(crate) fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        let (mut at, mut used) = (0, false);
        while let Some((token, _)) = self.0.get(at) {
            match token {
                Token::Word(word) if word == "use" || word == "extern" => {
                    used = true;
                    at += 1;
                }
                // `extern crate`, and not `crate::…`
                Token::Word(word) if word == "crate" && used && self.token(at + 1) != Some(&Token::Sep) => {
                    at += 1
                }
                Token::Word(_) => at = self.path(at, &[], used, &mut paths),
                // What comes after it goes on from a type: `<T as Trait>::name`, `Vec::<u8>::new`.
                Token::Punct('>') if self.token(at + 1) == Some(&Token::Sep) => at += 3,
                Token::Punct(';') => {
                    used = false;
                    at += 1;
                }
                Token::Punct(_) | Token::Literal(_) | Token::Sep | Token::Open(_) | Token::Close => at += 1,
            }
        }
        paths
    }

    /// Lines of calls of a method without arguments.
    pub(crate) fn calls(&self, method: &str) -> Vec<usize> {
        let wanted = [
            Token::Punct('.'),
            Token::Word(method.to_owned()),
            Token::Open(Delimiter::Parenthesis),
            Token::Close,
        ];
        let found = self
            .0
            .windows(wanted.len())
            .filter(|found| found.iter().zip(&wanted).all(|((token, _), wanted)| token == wanted));
        found.map(|found| found[1].1).collect()
    }

    /// The text literals that come directly after these words and signs, such as `refused (`.
    pub(crate) fn texts_after(&self, word: &str) -> Vec<String> {
        let found = self.0.windows(3).filter_map(|found| match [&found[0].0, &found[1].0, &found[2].0] {
            [Token::Word(before), Token::Open(_) | Token::Punct(_), Token::Literal(text)]
                if before == word =>
            {
                Some(text)
            }
            _ => None,
        });
        found.filter_map(|text| unquote(text)).collect()
    }

    /// All text literals.
    pub(crate) fn texts(&self) -> Vec<String> {
        let texts = self.0.iter().filter_map(|(token, _)| match token {
            Token::Literal(text) => unquote(text),
            Token::Word(_) | Token::Sep | Token::Punct(_) | Token::Open(_) | Token::Close => None,
        });
        texts.collect()
    }

    fn token(&self, at: usize) -> Option<&Token> {
        self.0.get(at).map(|(token, _)| token)
    }

    /// Reads a path that begins at `at`; returns where it ends.
    fn path(&self, mut at: usize, before: &[String], used: bool, paths: &mut Vec<Path>) -> usize {
        let (mut segments, mut glob) = (before.to_vec(), false);
        let line = self.0[at].1;
        while let Some(Token::Word(word)) = self.token(at) {
            segments.push(word.clone());
            at += 1;
            if self.token(at) != Some(&Token::Sep) {
                break;
            }
            match self.token(at + 1) {
                Some(Token::Word(_)) => at += 1,
                Some(Token::Open(Delimiter::Brace)) => return self.group(at + 2, &segments, used, paths),
                Some(Token::Punct('*')) => {
                    (glob, at) = (true, at + 2);
                    break;
                }
                Some(_) | None => break,
            }
        }
        paths.push(Path { segments, line, used, glob });
        at
    }

    /// Reads the group of a `use` after its opening brace; returns where it ends.
    fn group(&self, mut at: usize, before: &[String], used: bool, paths: &mut Vec<Path>) -> usize {
        while let Some(token) = self.token(at) {
            match token {
                Token::Close => return at + 1,
                Token::Word(_) => at = self.path(at, before, used, paths),
                Token::Punct('*') => {
                    let (segments, line) = (before.to_vec(), self.0[at].1);
                    paths.push(Path { segments, line, used, glob: true });
                    at += 1;
                }
                Token::Literal(_) | Token::Sep | Token::Punct(_) | Token::Open(_) => at += 1,
            }
        }
        at
    }
}

fn unquote(literal: &str) -> Option<String> {
    Some(literal.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

fn flatten(stream: TokenStream, tokens: &mut Vec<(Token, usize)>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Ident(ident) => {
                let text = ident.to_string();
                tokens.push((Token::Word(text.trim_start_matches("r#").to_owned()), line));
            }
            TokenTree::Literal(literal) => tokens.push((Token::Literal(literal.to_string()), line)),
            TokenTree::Punct(punct) => {
                let next = |tree: &TokenTree| matches!(tree, TokenTree::Punct(next) if next.as_char() == ':');
                let is_sep = punct.as_char() == ':' && punct.spacing() == Spacing::Joint;
                if is_sep && trees.next_if(next).is_some() {
                    tokens.push((Token::Sep, line));
                } else {
                    tokens.push((Token::Punct(punct.as_char()), line));
                }
            }
            TokenTree::Group(group) => {
                tokens.push((Token::Open(group.delimiter()), line));
                flatten(group.stream(), tokens);
                tokens.push((Token::Close, group.span_close().start().line));
            }
        }
    }
}

/// Leaves out every item under `#[cfg(test)]`.
fn without_tests(tokens: Vec<(Token, usize)>) -> Vec<(Token, usize)> {
    let word = |text: &str| Token::Word(text.to_owned());
    let attribute = [
        Token::Punct('#'),
        Token::Open(Delimiter::Bracket),
        word("cfg"),
        Token::Open(Delimiter::Parenthesis),
        word("test"),
        Token::Close,
        Token::Close,
    ];
    let mut kept = Vec::with_capacity(tokens.len());
    let mut rest = &tokens[..];
    while let Some(first) = rest.first() {
        let is_of_tests = rest.len() >= attribute.len()
            && rest.iter().zip(&attribute).all(|((token, _), wanted)| token == wanted);
        if is_of_tests {
            rest = after_item(&rest[attribute.len()..]);
        } else {
            kept.push(first.clone());
            rest = &rest[1..];
        }
    }
    kept
}

/// What comes after the first item: after its `;` or its braces.
fn after_item(tokens: &[(Token, usize)]) -> &[(Token, usize)] {
    let mut open = Vec::new();
    for (at, (token, _)) in tokens.iter().enumerate() {
        match token {
            Token::Open(delimiter) => open.push(*delimiter),
            Token::Close if open.pop() == Some(Delimiter::Brace) && open.is_empty() => {
                return &tokens[at + 1..];
            }
            Token::Punct(';') if open.is_empty() => return &tokens[at + 1..],
            Token::Close | Token::Punct(_) | Token::Word(_) | Token::Literal(_) | Token::Sep => {}
        }
    }
    &[]
}

#[test]
fn names_are_found_wherever_they_stand() {
    let source = Source {
        path: "a.rs".to_owned(),
        text: "// std::net\nuse std::{fs::{self, File}, io};\nuse rent;\nfn f() { x!(tokio::spawn(y)); let v = <T as U>::z; ::http::a() }\n\
               #[cfg(test)]\nmod tests { use std::env; }\nfn g(a: b::C) {}"
            .to_owned(),
    };
    let paths: Vec<_> =
        Code::of(&source).paths().iter().filter(|path| path.root().is_some()).map(Path::text).collect();
    assert_eq!(
        paths,
        ["std::fs::self", "std::fs::File", "std::io", "rent", "tokio::spawn", "http::a", "b::C"]
    );
}

#[test]
fn what_takes_everything_is_seen() {
    let text = "use std::*; use a::{b::*, c, d::{self, *}}; fn f() { let n = g::X * h; *i::j }";
    let source = Source { path: "a.rs".to_owned(), text: text.to_owned() };
    let globs: Vec<_> = Code::of(&source).paths().iter().filter(|path| path.glob).map(Path::text).collect();
    assert_eq!(globs, ["std", "a::b", "a::d"]);
}
