//! The technical crates know no business.

use crate::{
    caught,
    graph::{self, CONTEXTS, Package, packages},
    none_of,
    tokens::Code,
    tree::{self, Source, is_test, planted},
};

/// The words of the business.
const WORDS: [&str; 8] =
    ["order", "rent", "delivery", "deliveries", "mypage", "parcel", "customer", "courier"];

/// Names in which one of the words means something else, each with the reason.
///
/// Words are whole: `Ordering` and `current` are none of ours and need no exception.
const OTHER_MEANINGS: [(&str, &str); 2] = [
    ("order_by", "SQL's and a list's sorting"),
    ("keeps_order_per_key", "the sequence of records, a promise of every event bus"),
];

/// A technical crate depends on no context and not on their language.
fn depends_on_the_business(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages.iter().filter(|package| package.folder.starts_with("platform/")) {
        // Its tests may use anything.
        for name in &package.dependencies {
            if CONTEXTS.contains(&name.as_str())
                || ["contracts", "gateway", "rentalbook"].contains(&name.as_str())
            {
                found.push(format!("{}/Cargo.toml: depends on {name}", package.folder));
            }
        }
    }
    found
}

/// A technical crate has no word of the business in any name: of a type, a function, a module, a variable.
fn speaks_of_the_business(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    let ours = sources.iter().filter(|source| source.path.starts_with("platform/") && !is_test(&source.path));
    for source in ours {
        for path in Code::of(source).paths() {
            for name in &path.segments {
                let excepted = OTHER_MEANINGS.iter().any(|(other, _)| other == name);
                if !excepted && words(name).iter().any(|word| is_of_the_business(word)) {
                    found.push(format!("{}:{}: `{name}` is a word of the business", source.path, path.line));
                }
            }
        }
    }
    found
}

fn is_of_the_business(word: &str) -> bool {
    let singular = word.strip_suffix('s').unwrap_or(word);
    WORDS.contains(&word) || WORDS.contains(&singular)
}

/// The words of a name: `place_order`, `PlaceOrder`, `PLACE_ORDER`, `HTTPOrder` and `order2` have two each.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let (after, is_upper) = (letters.get(at + 1), letter.is_uppercase());
        let begins = is_upper && before.is_some_and(char::is_lowercase)
            // The last capital of an acronym is the first of the next word.
            || is_upper && before.is_some_and(char::is_uppercase) && after.is_some_and(|next| next.is_lowercase())
            || before.is_some_and(|before| before.is_numeric() != letter.is_numeric());
        if *letter == '_' || begins {
            words.push(String::new());
        }
        if *letter != '_'
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

#[test]
fn the_platform_depends_on_no_business() {
    none_of(&depends_on_the_business(&packages()));
    caught(&depends_on_the_business(&graph::planted("platform-x", "platform/x", &["bytes", "rent"])), "rent");
    caught(
        &depends_on_the_business(&graph::planted("platform-x", "platform/x", &["contracts"])),
        "contracts",
    );
}

#[test]
fn the_platform_has_no_word_of_the_business() {
    none_of(&speaks_of_the_business(&tree::rust()));

    let check = |text: &str| speaks_of_the_business(&planted("platform/http/src/x.rs", text));
    caught(&check("pub struct OrderPage;"), "OrderPage");
    caught(&check("fn find_by_customer() {}"), "find_by_customer");
    caught(&check("mod parcels;"), "parcels");
    caught(&check("const MAX_RENTS: u32 = 1;"), "MAX_RENTS");
    caught(&check("enum E { Delivery }"), "Delivery");
    for name in ["HTTPOrder", "SQLRents", "OrderID", "order2", "v2orders", "toHTTPRent"] {
        caught(&check(&format!("fn {name}() {{}}")), name);
    }
    none_of(&check(
        "// in order\nuse std::cmp::Ordering; fn order_by() { current(); different(); border() }",
    ));
    none_of(&speaks_of_the_business(&planted("platform/http/tests/it/x.rs", "struct Order;")));
}
