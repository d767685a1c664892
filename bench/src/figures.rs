//! What was measured, as a table and as JSON.

use std::{fmt, path::Path};

use serde::Serialize;

use crate::Result;

/// A limit that a figure should keep.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    /// A value that could not be measured keeps no limit.
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(limit) => value >= limit,
            Self::AtMost(limit) => value <= limit,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(limit) => write!(out, "≥ {limit}"),
            Self::AtMost(limit) => write!(out, "≤ {limit}"),
        }
    }
}

/// Whether a figure is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Met {
    /// Short of what is wanted; or, where nothing is but an aim, short of that.
    No,
    /// What is wanted, short of the aim.
    Yes,
    /// As good as the aim, or better.
    Aim,
}

impl Met {
    fn of(value: f64, wanted: Option<Bound>, aim: Bound) -> Self {
        match wanted {
            Some(wanted) if !wanted.holds(value) => Self::No,
            _ if aim.holds(value) => Self::Aim,
            Some(_) => Self::Yes,
            None => Self::No,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::No => "**no**",
            Self::Yes => "yes",
            Self::Aim => "aim",
        }
    }
}

/// One line of the table.
#[derive(Serialize)]
pub(crate) struct Figure {
    pub(crate) what: String,
    /// Of ours, median of the rounds.
    pub(crate) ours: f64,
    /// Of the baseline, median of the rounds.
    pub(crate) baseline: Option<f64>,
    /// Median of the rounds' ratios: what is judged, where there is one.
    pub(crate) ratio: Option<f64>,
    pub(crate) unit: &'static str,
    pub(crate) wanted: Option<Bound>,
    pub(crate) aim: Bound,
    pub(crate) met: Met,
    pub(crate) note: String,
}

/// Prints the table, and writes it beside the JSON file `output`.
pub(crate) fn show(figures: &[Figure], output: &Path) -> Result<()> {
    let text = table(figures);
    println!("{text}");
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(output, serde_json::to_string_pretty(figures)?)?;
    std::fs::write(output.with_extension("md"), text)?;
    Ok(())
}

/// The middle one; of an even number, the lower of the two.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

impl Figure {
    /// Ours against a baseline, round by round.
    pub(crate) fn ratio(
        what: &str,
        unit: &'static str,
        rounds: &[(f64, f64)],
        at_least: f64,
        aim: f64,
    ) -> Self {
        let column = |pick: fn(&(f64, f64)) -> f64| median(rounds.iter().map(pick).collect());
        let ratio = column(|round| round.0 / round.1);
        let (wanted, aim) = (Some(Bound::AtLeast(at_least)), Bound::AtLeast(aim));
        Self {
            what: what.to_owned(),
            ours: column(|round| round.0),
            baseline: Some(column(|round| round.1)),
            ratio: Some(ratio),
            unit,
            wanted,
            aim,
            met: Met::of(ratio, wanted, aim),
            note: format!("{} rounds", rounds.len()),
        }
    }

    /// A figure without a baseline, that should be at most `aim`.
    pub(crate) fn reported(what: &str, value: f64, unit: &'static str, aim: f64) -> Self {
        Self::limited(what, value, unit, None, Bound::AtMost(aim))
    }

    /// A figure without a baseline, that has to be at most `limit`.
    pub(crate) fn at_most(what: &str, value: f64, unit: &'static str, limit: f64) -> Self {
        let limit = Bound::AtMost(limit);
        Self::limited(what, value, unit, Some(limit), limit)
    }

    fn limited(what: &str, value: f64, unit: &'static str, wanted: Option<Bound>, aim: Bound) -> Self {
        Self {
            what: what.to_owned(),
            ours: value,
            baseline: None,
            ratio: None,
            unit,
            wanted,
            aim,
            met: Met::of(value, wanted, aim),
            note: String::new(),
        }
    }

    pub(crate) fn with_note(mut self, note: &str) -> Self {
        self.note = if self.note.is_empty() { note.to_owned() } else { format!("{}; {note}", self.note) };
        self
    }
}

/// The table as Markdown.
fn table(figures: &[Figure]) -> String {
    let number = |value: f64| if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    let optional = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let mut text = "| what | ours | baseline | unit | ratio | wanted | aim | met | note |\n\
                    |---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for figure in figures {
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            figure.what,
            number(figure.ours),
            optional(figure.baseline),
            figure.unit,
            optional(figure.ratio),
            figure.wanted.map_or_else(|| "-".to_owned(), |wanted| wanted.to_string()),
            figure.aim,
            figure.met.as_str(),
            figure.note,
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_figure_is_marked() {
        let of = |ours: f64| Figure::ratio("orders", "orders/s", &[(ours, 100.0)], 0.2, 0.35);
        assert_eq!(of(19.0).met, Met::No);
        assert_eq!(of(20.0).met, Met::Yes);
        assert_eq!(of(35.0).met, Met::Aim);
        assert_eq!(of(f64::NAN).met, Met::No, "what was not measured is not met");
        assert_eq!(Figure::reported("memory", 65.0, "MiB", 64.0).met, Met::No);
        assert_eq!(Figure::reported("memory", 64.0, "MiB", 64.0).met, Met::Aim);
        assert_eq!(Figure::at_most("visible", 5.1, "s", 5.0).met, Met::No);
    }

    #[test]
    fn the_table_and_the_json_say_it() {
        let figures = [Figure::at_most("visible", 5.1, "s", 5.0), Figure::at_most("visible", 4.0, "s", 5.0)];
        let text = table(&figures);
        assert!(text.contains("| visible | 5.10 | - | s | - | ≤ 5 | ≤ 5 | **no** |  |"), "{text}");
        let json = serde_json::to_value(&figures).expect("plain data");
        assert_eq!(json[0]["met"], "no");
        assert_eq!(json[1]["met"], "aim");
        assert_eq!(json[0]["wanted"]["at_most"], 5.0);
    }
}
