//! The files of the repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file: its path from the root of the repository, and what is in it.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A source that is planted to see a rule fail.
pub(crate) fn planted(path: &str, text: &str) -> Vec<Source> {
    vec![Source { path: path.to_owned(), text: text.to_owned() }]
}

/// Folders that hold nothing of ours, wherever they are.
const NOT_OURS: [&str; 3] = ["target", "node_modules", ".git"];

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is in a folder of the root");
    root.to_owned()
}

/// All files whose name ends with `suffix`, by path.
pub(crate) fn files(suffix: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    walk(&root(), &mut paths);
    paths.sort();
    let ours = paths.into_iter().filter(|path| path.to_string_lossy().ends_with(suffix));
    let sources: Vec<_> = ours.filter_map(read).collect();
    assert!(!sources.is_empty(), "no {suffix} file under {}", root().display());
    sources
}

/// All Rust sources.
pub(crate) fn rust() -> Vec<Source> {
    files(".rs")
}

/// One file of the repository.
pub(crate) fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Names of the Rust files directly in `folder`, without `.rs` and without `mod` and `tests`; none where there is
/// no such folder.
pub(crate) fn modules(folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> = names
        .filter_map(|name| Some(name.strip_suffix(".rs")?.to_owned()))
        .filter(|name| name != "mod" && name != "tests")
        .collect();
    names.sort();
    names
}

/// Whether a file is test code as a whole.
pub(crate) fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.contains("/benches/") || path.ends_with("/tests.rs")
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    // A folder may vanish while we look (another build's).
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !NOT_OURS.contains(&name.as_str()) => walk(&entry.path(), found),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

fn read(path: PathBuf) -> Option<Source> {
    let text = fs::read_to_string(&path).ok()?;
    let path = path.strip_prefix(root()).ok()?.to_string_lossy().into_owned();
    Some(Source { path, text })
}
