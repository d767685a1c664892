//! Everything that the fuzzers have found worth keeping, and what we gave them to begin with.

use std::{fs, path::Path};

use fuzz_checks::CHECKS;

/// The corpora beside this crate.
fn corpora() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of the fuzzers")
}

#[test]
fn every_corpus_holds() {
    for (name, check) in CHECKS {
        let folder = corpora().join("corpus").join(name);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut count = 0;
        for entry in entries {
            let path = entry.expect("an entry").path();
            let bytes = fs::read(&path).expect("a file");
            // A panic names the check; this names the bytes.
            println!("{}", path.display());
            check(&bytes);
            count += 1;
        }
        assert!(count > 0, "{name} has a corpus");
    }
}

/// Bytes that somebody has changed on the way: each byte of each entry replaced, left out, and cut off.
#[test]
fn every_corpus_holds_after_small_damage() {
    for (name, check) in CHECKS {
        for entry in fs::read_dir(corpora().join("corpus").join(name)).expect("a corpus") {
            let bytes = fs::read(entry.expect("an entry").path()).expect("a file");
            for at in 0..bytes.len().min(400) {
                check(&bytes[..at]);
                let mut without = bytes.clone();
                without.remove(at);
                check(&without);
                for instead in [0, b'"', b'{', b'9', b'-', b'\\', 0x80, 0xff] {
                    let mut damaged = bytes.clone();
                    damaged[at] = instead;
                    check(&damaged);
                }
            }
        }
    }
}

#[test]
fn every_target_has_a_check_and_a_corpus() {
    let names = |folder: &str| {
        let entries = fs::read_dir(corpora().join(folder)).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").path()).map(|path| stem(&path)).collect();
        names.sort();
        names
    };
    let mut checks = CHECKS.map(|(name, _)| name.to_owned());
    checks.sort();
    assert_eq!(names("fuzz_targets"), checks);
    assert_eq!(names("corpus"), checks);
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a name").to_string_lossy().into_owned()
}
