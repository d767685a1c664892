//! Reading what the audit says.

/// What `rentalbook tools audit` has said.
pub(super) struct Audited {
    /// All its words.
    words: String,
    succeeded: bool,
}

impl Audited {
    pub(super) fn new(words: String, succeeded: bool) -> Self {
        Self { words, succeeded }
    }

    /// Whether it has nothing to say but that. It succeeds, and says `clean`, also beside rents without an order, orders
    /// under way and open dead letters, each in a line of its own: in a drill none of them may be left.
    pub(super) fn is_clean(&self) -> bool {
        let mut lines = self.words.lines();
        let is_clean = lines.next().is_some_and(|line| line.ends_with(" events audited: clean"));
        self.succeeded && is_clean && lines.next().is_none()
    }

    /// Rents of orders that order does not know; `None` where nothing was audited.
    pub(super) fn rents_without_an_order(&self) -> Option<u64> {
        let rents =
            |line: &str| line.split_once(" rents belong to orders that are not known")?.0.parse().ok();
        let is_report = self.words.lines().any(|line| line.contains(" events audited: "));
        is_report.then(|| self.words.lines().find_map(rents).unwrap_or(0))
    }

    /// Its words in one line of a table.
    pub(super) fn in_a_line(&self) -> String {
        let lines: Vec<_> = self.words.lines().map(str::trim).collect();
        lines.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: &str = "12 orders and 48 events audited: clean";

    fn said(more: &str) -> Audited {
        Audited::new(format!("{CLEAN}{more}"), true)
    }

    #[test]
    fn clean_is_one_line_and_nothing_else() {
        assert!(said("").is_clean());
        for more in [
            "\n3 rents belong to orders that are not known here (foreign, allowed)",
            "\n1 orders are still under way, nothing can be said of them yet; start what is stopped, settle the dead \
             letters and audit again",
            "\n2 dead letters are open; see `rentalbook tools dlq list`",
        ] {
            assert!(!said(more).is_clean(), "{more}");
        }
        assert!(!Audited::new(CLEAN.to_owned(), false).is_clean());
        let broken = "order 7: it is lost (invariant 1)\n12 orders and 48 events audited: 1 breaches";
        assert!(!Audited::new(broken.to_owned(), false).is_clean());
        assert!(!Audited::new("the folder is not clean".to_owned(), true).is_clean());
        assert!(!Audited::new(String::new(), true).is_clean());
    }

    #[test]
    fn rents_without_an_order_are_counted_and_unknown_where_nothing_was_audited() {
        assert_eq!(said("").rents_without_an_order(), Some(0));
        let foreign = said("\n3 rents belong to orders that are not known here (foreign, allowed)");
        assert_eq!(foreign.rents_without_an_order(), Some(3));
        assert_eq!(Audited::new("there is no library".to_owned(), false).rents_without_an_order(), None);
    }

    #[test]
    fn a_report_of_several_lines_is_one_line_of_the_table() {
        let line = said("\n2 dead letters are open").in_a_line();
        assert_eq!(line, format!("{CLEAN}; 2 dead letters are open"));
    }
}
