//! What a drill has shown.

use std::fmt;

use super::offered::Answers;

/// Lines of a drill's table.
#[derive(Default)]
pub(super) struct Report {
    lines: Vec<Line>,
}

struct Line {
    what: String,
    found: String,
    wanted: String,
    is_met: bool,
}

impl Report {
    /// A figure that is only told.
    pub(super) fn told(&mut self, what: impl Into<String>, found: impl Into<String>) {
        self.lines.push(Line {
            what: what.into(),
            found: found.into(),
            wanted: "-".to_owned(),
            is_met: true,
        });
    }

    /// A figure that has to be as it is `wanted`.
    pub(super) fn wanted(
        &mut self,
        what: impl Into<String>,
        found: impl Into<String>,
        wanted: impl Into<String>,
        is_met: bool,
    ) {
        self.lines.push(Line { what: what.into(), found: found.into(), wanted: wanted.into(), is_met });
    }

    /// The drill could not go on.
    pub(super) fn broke_off(&mut self, why: &str) {
        self.wanted("the drill broke off", why.replace('\n', "; "), "it does not", false);
    }

    /// A load that had to be there for the other figures to say anything: with less of it every drill passes.
    pub(super) fn offered(&mut self, when: &str, answers: &Answers, stated: f64) {
        let offered = answers.offered_per_second();
        self.wanted(
            format!("offered {when}"),
            format!("{offered:.0} orders a second"),
            format!("at least 0.95 of {stated:.0}"),
            offered >= 0.95 * stated,
        );
    }

    /// Whether everything is as it should be.
    pub(super) fn is_met(&self) -> bool {
        self.lines.iter().all(|line| line.is_met)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "| what | found | wanted | met |\n|---|---|---|---|")?;
        for Line { what, found, wanted, is_met } in &self.lines {
            let met = match (wanted.as_str(), is_met) {
                ("-", _) => "-",
                (_, true) => "yes",
                (_, false) => "**no**",
            };
            writeln!(out, "| {what} | {found} | {wanted} | {met} |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_figure_that_is_not_met_fails_the_drill_and_is_marked() {
        let mut report = Report::default();
        report.told("capacity", "1,000/s");
        report.wanted("audit", "clean", "clean", true);
        assert!(report.is_met());
        report.wanted("answered", "99.9 %", "100 %", false);
        assert!(!report.is_met());
        let text = report.to_string();
        assert!(text.contains("| capacity | 1,000/s | - | - |"), "{text}");
        assert!(text.contains("| answered | 99.9 % | 100 % | **no** |"), "{text}");
    }
    #[test]
    fn a_load_that_was_not_offered_fails_the_drill() {
        let offered = |unanswered| {
            let answers = Answers { unanswered, load_lasts: Duration::from_secs(2), ..Answers::default() };
            let mut report = Report::default();
            report.offered("while rent is dead", &answers, 1_000.0);
            report.is_met()
        };
        assert!(offered(1_900));
        assert!(!offered(1_899));
    }
}
