//! What a drill has shown.

use std::fmt;

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
}
