//! A library in a drill: its folder, its tools, what it says of itself.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use super::{Options, audited::Audited, report::Report};
use crate::{
    Result,
    library::{self, Library},
    load,
};

/// A running library, and its folder.
pub(super) struct Drilled<'o> {
    options: &'o Options,
    data: std::path::PathBuf,
    /// Removed with it, where it is its own.
    folder: Option<tempfile::TempDir>,
    running: Library,
}

impl<'o> Drilled<'o> {
    /// On a new folder, with these settings.
    pub(super) async fn start(options: &'o Options, settings: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir_in(&options.scratch)?;
        let mut drilled = Self::start_in(options, folder.path().join("data"), settings).await?;
        drilled.folder = Some(folder);
        Ok(drilled)
    }

    /// On `data`, which stays.
    pub(super) async fn start_in(
        options: &'o Options,
        data: std::path::PathBuf,
        settings: &[&str],
    ) -> Result<Self> {
        let running = Library::start_with(&options.program, &data, settings).await?;
        Ok(Self { options, data, folder: None, running })
    }

    /// Its process.
    pub(super) fn running(&self) -> &Library {
        &self.running
    }

    /// Runs one of its tools; what it printed, and whether it succeeded.
    pub(super) fn tool(&self, arguments: &[&str]) -> Result<(String, bool)> {
        let output = Command::new(&self.options.program)
            .args(["tools", "--data"])
            .arg(&self.data)
            .args(arguments)
            .env("RENTALBOOK_DRILLS", "1")
            .output()?;
        let words = [output.stdout, output.stderr].concat();
        Ok((String::from_utf8(words)?.trim().to_owned(), output.status.success()))
    }

    /// Runs a tool that has to succeed.
    pub(super) fn do_tool(&self, arguments: &[&str]) -> Result<()> {
        match self.tool(arguments)? {
            (_, true) => Ok(()),
            (words, false) => Err(format!("tools {}: {words}", arguments.join(" ")).into()),
        }
    }

    /// Orders that wait for rent, as order says itself.
    pub(super) async fn pending(&self) -> Result<u64> {
        let (_, metrics) = load::get(library::order(), "/actuator/prometheus").await?;
        let line = metrics.lines().find(|line| line.starts_with("rentalbook_orders_pending"));
        let number =
            line.and_then(|line| line.rsplit(' ').next()).ok_or("order does not say what is pending")?;
        Ok(number.parse::<f64>()? as u64)
    }

    /// Waits until no order waits for rent; how long that took.
    pub(super) async fn until_all_are_confirmed(&self, at_most: Duration) -> Result<Duration> {
        let start = Instant::now();
        loop {
            let pending = self.pending().await?;
            if pending == 0 {
                return Ok(start.elapsed());
            }
            if start.elapsed() > at_most {
                return Err(format!("{pending} orders are still pending after {at_most:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Does `work` with it; then, whatever came of that, audits it, stops it and removes its folder. What went wrong is a
    /// line of the report, so that what was found until then is not lost with it.
    pub(super) async fn through(
        self,
        report: &mut Report,
        work: impl AsyncFnOnce(&Self, &mut Report) -> Result<()>,
    ) -> Option<Audited> {
        let worked = work(&self, report).await;
        let audited = end(report, worked, || self.tool(&["audit"]));
        if let Err(error) = self.stop() {
            report.broke_off(&error.to_string());
        }
        audited
    }

    /// Stops it and removes its folder.
    pub(super) fn stop(self) -> Result<()> {
        self.running.stop()?;
        self.folder.map_or(Ok(()), |folder| Ok(folder.close()?))
    }

    /// Its data.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }
}

/// The last lines of a drill: what went wrong, if anything did, and the audit in any case.
fn end(
    report: &mut Report,
    worked: Result<()>,
    audit: impl FnOnce() -> Result<(String, bool)>,
) -> Option<Audited> {
    if let Err(error) = worked {
        report.broke_off(&error.to_string());
    }
    match audit() {
        Ok((words, succeeded)) => {
            let audited = Audited::new(words, succeeded);
            report.wanted("audit", audited.in_a_line(), "one line: clean", audited.is_clean());
            Some(audited)
        }
        Err(error) => {
            report.wanted("audit", error.to_string(), "one line: clean", false);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_that_breaks_off_is_audited_and_keeps_what_it_has_found() {
        let mut report = Report::default();
        report.told("capacity", "1,000/s");
        let audit = || Ok(("3 orders and 9 events audited: clean".to_owned(), true));
        end(&mut report, Err("5 orders are still pending".into()), audit);
        assert!(!report.is_met());
        let text = report.to_string();
        for line in ["| capacity | 1,000/s |", "5 orders are still pending", "audited: clean"] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn an_audit_that_cannot_be_carried_out_is_not_clean() {
        let mut report = Report::default();
        assert!(end(&mut report, Ok(()), || Err("there is no program".into())).is_none());
        assert!(!report.is_met(), "{report}");
    }
}
