//! The metrics of one service, in the text format of Prometheus.
//!
//! Nothing is pushed, and nothing is computed beside the requests: whoever counts has an atomic number of his own,
//! and it is read when somebody asks for the metrics.

use std::{future::Future, pin::Pin, time::Duration};

use futures_util::future::join_all;
use metrics::{Counter, Gauge, Key, KeyName, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use parking_lot::Mutex;
use tokio::time::timeout;

/// How long a number may take; one that comes later is not known.
const PATIENCE: Duration = Duration::from_secs(3);

const ABOUT: Metadata<'static> = Metadata::new("rentalbook", Level::INFO, None);

/// Says what a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meter {
    /// Its name, with its unit at the end.
    pub name: &'static str,
    /// What it means, in a sentence.
    pub help: &'static str,
}

/// Names of labels with their values.
pub type Labels<'l> = &'l [(&'static str, &'l str)];

/// A number that is read when somebody asks; `None`: it is not known now.
type Reading = Pin<Box<dyn Future<Output = Option<f64>> + Send>>;

type ReadCount = Box<dyn Fn() -> u64 + Send + Sync>;
type ReadGauge = Box<dyn Fn() -> Reading + Send + Sync>;

/// The metrics of one service.
pub struct Meters {
    recorder: PrometheusRecorder,
    text: PrometheusHandle,
    counters: Mutex<Vec<(Counter, ReadCount)>>,
    gauges: Mutex<Vec<(Gauge, ReadGauge)>>,
}

impl Meters {
    /// Without a metric yet. All of them will have the label `service`, so that several services of one process are
    /// told apart.
    #[must_use]
    pub fn new(service: &'static str) -> Self {
        let recorder = PrometheusBuilder::new().add_global_label("service", service).build_recorder();
        let text = recorder.handle();
        Self { recorder, text, counters: Mutex::default(), gauges: Mutex::default() }
    }

    /// Adds a number that only grows while the process lives.
    pub fn counter(&self, meter: Meter, labels: Labels<'_>, read: impl Fn() -> u64 + Send + Sync + 'static) {
        self.recorder.describe_counter(KeyName::from_const_str(meter.name), None, meter.help.into());
        let counter = self.recorder.register_counter(&key(meter, labels), &ABOUT);
        self.counters.lock().push((counter, Box::new(read)));
    }

    /// Adds a number that goes up and down. Where it is not known it is `NaN`, which no alarm takes for a number.
    pub fn gauge<F>(&self, meter: Meter, labels: Labels<'_>, read: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Option<f64>> + Send + 'static,
    {
        self.recorder.describe_gauge(KeyName::from_const_str(meter.name), None, meter.help.into());
        let gauge = self.recorder.register_gauge(&key(meter, labels), &ABOUT);
        self.gauges.lock().push((gauge, Box::new(move || Box::pin(read()))));
    }

    /// All metrics as they are now.
    pub async fn text(&self) -> String {
        for (counter, read) in &*self.counters.lock() {
            counter.absolute(read());
        }
        let readings: Vec<_> = {
            let gauges = self.gauges.lock();
            gauges.iter().map(|(gauge, read)| (gauge.clone(), timeout(PATIENCE, read()))).collect()
        };
        // Side by side: one part that is away takes its own time only.
        join_all(readings.into_iter().map(|(gauge, reading)| async move {
            gauge.set(reading.await.ok().flatten().unwrap_or(f64::NAN));
        }))
        .await;
        self.text.render()
    }
}

fn key(meter: Meter, labels: Labels<'_>) -> Key {
    let labels: Vec<_> = labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(meter.name, labels)
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
    };

    use super::*;

    const CALLS: Meter = Meter { name: "calls_total", help: "Calls." };
    const WAITING: Meter = Meter { name: "waiting_rows", help: "What waits." };

    #[tokio::test(start_paused = true)]
    async fn numbers_are_read_when_somebody_asks() {
        let meters = Meters::new("one");
        let calls = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&calls);
        meters.counter(CALLS, &[("how", "well")], move || read.load(Ordering::Relaxed));
        let read = Arc::clone(&calls);
        meters.gauge(WAITING, &[], move || ready(Some(read.load(Ordering::Relaxed) as f64 + 0.5)));
        for expected in [0, 7] {
            calls.store(expected, Ordering::Relaxed);
            let text = meters.text().await;
            let lines = [
                "# HELP calls_total Calls.".to_owned(),
                "# TYPE calls_total counter".to_owned(),
                format!("calls_total{{service=\"one\",how=\"well\"}} {expected}"),
                "# TYPE waiting_rows gauge".to_owned(),
                format!("waiting_rows{{service=\"one\"}} {expected}.5"),
            ];
            for line in lines {
                assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_known_in_time_is_no_number() {
        let meters = Meters::new("one");
        meters.gauge(WAITING, &[("of", "one")], || ready(None));
        meters.gauge(WAITING, &[("of", "two")], pending);
        meters.gauge(WAITING, &[("of", "three")], || ready(Some(3.0)));
        let began = tokio::time::Instant::now();
        let text = meters.text().await;
        assert_eq!(began.elapsed(), PATIENCE);
        for (of, number) in [("one", "NaN"), ("two", "NaN"), ("three", "3")] {
            let line = format!("waiting_rows{{service=\"one\",of=\"{of}\"}} {number}");
            assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
        }
    }
}
