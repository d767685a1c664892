//! What was measured, as a table and as JSON.

use serde::Serialize;

/// One line of the table.
#[derive(Serialize)]
pub(crate) struct Figure {
    pub(crate) what: String,
    /// Of ours, median of the rounds.
    pub(crate) ours: f64,
    /// Of the baseline, median of the rounds.
    pub(crate) baseline: Option<f64>,
    /// Median of the rounds' ratios.
    pub(crate) ratio: Option<f64>,
    pub(crate) unit: &'static str,
    pub(crate) at_least: Option<f64>,
    pub(crate) aim: Option<String>,
    pub(crate) note: String,
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
        Self {
            what: what.to_owned(),
            ours: column(|round| round.0),
            baseline: Some(column(|round| round.1)),
            ratio: Some(column(|round| round.0 / round.1)),
            unit,
            at_least: Some(at_least),
            aim: Some(aim.to_string()),
            note: format!("{} rounds", rounds.len()),
        }
    }

    /// A figure that is reported.
    pub(crate) fn reported(what: &str, value: f64, unit: &'static str, aim: &str) -> Self {
        Self {
            what: what.to_owned(),
            ours: value,
            baseline: None,
            ratio: None,
            unit,
            at_least: None,
            aim: Some(aim.to_owned()),
            note: String::new(),
        }
    }

    pub(crate) fn with_note(mut self, note: &str) -> Self {
        self.note = if self.note.is_empty() { note.to_owned() } else { format!("{}; {note}", self.note) };
        self
    }
}

/// The table as Markdown.
pub(crate) fn table(figures: &[Figure]) -> String {
    let number = |value: f64| if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    let optional = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let mut text = "| what | ours | baseline | unit | ratio | at least | aim | note |\n|---|---|---|---|---|---|---|---|\n".to_owned();
    for figure in figures {
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
            figure.what,
            number(figure.ours),
            optional(figure.baseline),
            figure.unit,
            optional(figure.ratio),
            optional(figure.at_least),
            figure.aim.as_deref().unwrap_or("-"),
            figure.note,
        ));
    }
    text
}
