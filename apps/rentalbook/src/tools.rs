//! The tools, on a data folder. A running library runs them itself, asked over its socket; otherwise they open the
//! folder.

use std::{fmt::Write as _, path::Path, sync::Arc, time::Duration};

use contracts::{Timestamp, WireClock};
use mypage::query::View;
use platform_event_bus::{DeadLetter, DeadLetters, EventBus};
use serde::{Deserialize, Serialize};

use crate::{
    audit::Audit,
    cli::{Dlq, ServiceArg, Tool},
    control,
    data_folder::DataFolder,
    embedded::Services,
    faults::{Fault, Faults},
    parts::Parts,
    scratch::Scratch,
    stores::Stores,
};

/// What a tool answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// For the user, with a line end.
    pub text: String,
    /// Exit code.
    pub code: u8,
}

impl Outcome {
    fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 0 }
    }

    pub(crate) fn failed(text: impl std::fmt::Display) -> Self {
        Self { text: format!("{text}\n"), code: 1 }
    }
}

/// What the tools work on.
pub struct Toolbox {
    /// The library.
    pub library: Parts,
    /// Where files that are only needed for a while are made.
    pub scratch: Scratch,
    /// What of it runs.
    pub running: Running,
    /// Its faults, where it was started for drills.
    pub faults: Option<Faults>,
}

/// What of a library runs.
#[derive(Clone)]
pub enum Running {
    /// Nothing: everything stays as it is.
    Nothing,
    /// Its services, in this process.
    Here(Arc<Services>),
    /// Its services, in processes of their own; tells whether all of them answer.
    Elsewhere(Arc<dyn Fn() -> bool + Send + Sync>),
}

impl Running {
    /// Whether nothing may stay where it is.
    fn all(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Here(services) => services.all_open(),
            Self::Elsewhere(all_answer) => all_answer(),
        }
    }

    /// The services that can be stopped and started from here.
    fn services(&self) -> Result<&Services, Outcome> {
        match self {
            Self::Here(services) => Ok(services),
            Self::Nothing => Err(Outcome::failed(
                "no library is running on this data folder; start one with `rentalbook`, or name its folder with --data",
            )),
            Self::Elsewhere(_) => Err(Outcome::failed(ELSEWHERE)),
        }
    }
}

/// What is said to who wants to stop or start one of many processes from here.
pub(crate) const ELSEWHERE: &str = "the services are processes of their own: stop and start those";

/// How long the audit looks again at orders that are under way.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a tool on `data`: in the library that runs there, or here.
pub async fn run(data: &Path, tool: &Tool) -> Outcome {
    match control::ask(data, tool).await {
        Ok(Some(outcome)) => return outcome,
        Ok(None) => {}
        Err(error) => return Outcome::failed(error),
    }
    if let Some(nothing) = nothing_there(data) {
        return Outcome::failed(format!(
            "{nothing}; give the library's folder with --data or RENTALBOOK_DATA"
        ));
    }
    let folder = match DataFolder::open(data) {
        Ok(folder) => Arc::new(folder),
        Err(error) => return Outcome::failed(error),
    };
    // What a tool publishes is there already, so the clock does not matter; the topic knows its partitions.
    match Stores::open(&folder, &WireClock::default(), None).await {
        Ok(stores) => {
            Toolbox {
                library: stores.parts(),
                scratch: Scratch::of(&folder),
                running: Running::Nothing,
                faults: None,
            }
            .run(tool)
            .await
        }
        Err(error) => Outcome::failed(error),
    }
}

/// What is said of a place where no library has ever been. Opened, it would become an empty one, which has no
/// breach.
fn nothing_there(data: &Path) -> Option<String> {
    if !data.exists() {
        return Some(format!("there is no data folder {}", data.display()));
    }
    let has_none = ["order.db", "bus.db"].iter().all(|file| !data.join(file).exists());
    has_none.then(|| format!("there is no library in {}", data.display()))
}

impl Toolbox {
    /// Runs a tool here.
    pub async fn run(&self, tool: &Tool) -> Outcome {
        let Parts { view, bus, topic, .. } = &self.library;
        match tool {
            Tool::Audit => self.audit().await,
            Tool::Stop { service } => self.stop(*service).await,
            Tool::Start { service } => self.start(*service).await,
            Tool::RebuildView => rebuild_view(&**view, &**bus, topic).await,
            Tool::Fault { faults } => self.fault(faults),
            Tool::Dlq(dlq) => look_after_letters(Arc::clone(bus), topic, dlq).await,
        }
    }

    fn fault(&self, switched: &[Fault]) -> Outcome {
        let Some(faults) = &self.faults else {
            return Outcome::failed(
                "no library runs here that was started for drills: start one with --drills",
            );
        };
        switched.iter().for_each(|fault| faults.set(*fault));
        let on: Vec<_> = faults.on().iter().map(|fault| format!("{fault}\n")).collect();
        Outcome::done(if on.is_empty() { "no fault is on\n".to_owned() } else { on.concat() })
    }

    async fn audit(&self) -> Outcome {
        let rebuilt = match self.scratch.view() {
            Ok(view) => view,
            Err(error) => return Outcome::failed(error),
        };
        let running = self.running.clone();
        let audit = Audit {
            library: self.library.clone(),
            rebuilt: Arc::new(rebuilt),
            all_running: Arc::new(move || running.all()),
            // Where nothing runs, nothing will change.
            patience: if matches!(self.running, Running::Nothing) { Duration::ZERO } else { PATIENCE },
        };
        match audit.run().await {
            Ok(report) => Outcome { code: u8::from(!report.breaches.is_empty()), text: report.to_string() },
            Err(error) => Outcome::failed(error),
        }
    }

    async fn stop(&self, service: ServiceArg) -> Outcome {
        let service = match self.running.services() {
            Ok(services) => services.get(service),
            Err(nothing) => return nothing,
        };
        match service.stop().await {
            true => Outcome::done(format!("{} is stopped\n", service.name())),
            false => Outcome::done(format!("{} was stopped already\n", service.name())),
        }
    }

    async fn start(&self, service: ServiceArg) -> Outcome {
        let service = match self.running.services() {
            Ok(services) => services.get(service),
            Err(nothing) => return nothing,
        };
        match service.start().await {
            Ok(true) => Outcome::done(format!("{} is started\n", service.name())),
            Ok(false) => Outcome::done(format!("{} was running already\n", service.name())),
            Err(error) => Outcome::failed(error),
        }
    }
}

/// Builds the view again.
pub(crate) async fn rebuild_view(view: &dyn View, bus: &dyn EventBus, topic: &str) -> Outcome {
    match mypage::rebuild::rebuild(view, bus, topic).await {
        Ok(facts) => Outcome::done(format!("the view is built again from {facts} events\n")),
        Err(error) => Outcome::failed(error),
    }
}

/// Looks after the dead letters of `topic`.
pub(crate) async fn look_after_letters(bus: Arc<dyn EventBus>, topic: &str, dlq: &Dlq) -> Outcome {
    let letters = DeadLetters::new(bus, topic);
    let id = |text: &String| text.parse();
    match dlq {
        Dlq::List => match letters.list().await {
            Ok(letters) => Outcome::done(list(&letters, topic)),
            Err(error) => Outcome::failed(error),
        },
        Dlq::Show { id: text } => match id(text) {
            Ok(id) => letters
                .show(id)
                .await
                .map_or_else(Outcome::failed, |letter| Outcome::done(show(&letter, topic))),
            Err(error) => Outcome::failed(error),
        },
        Dlq::Replay { id: text } => match id(text) {
            Ok(id) => letters.replay(id).await.map_or_else(Outcome::failed, |()| {
                Outcome::done(format!(
                    "{id} is published again; services that handled it before pass over it\n"
                ))
            }),
            Err(error) => Outcome::failed(error),
        },
        Dlq::Drop { id: text } => match id(text) {
            Ok(id) => letters.drop(id).await.map_or_else(Outcome::failed, |()| {
                Outcome::done(format!("{id} is settled, nothing was done\n"))
            }),
            Err(error) => Outcome::failed(error),
        },
    }
}

fn list(letters: &[DeadLetter], topic: &str) -> String {
    if letters.is_empty() {
        return "no dead letters\n".to_owned();
    }
    let mut text = format!("{:<10} {:<9} {:<16} {:<25} reason\n", "id", "group", "from", "set aside");
    for letter in letters {
        let from = format!("{topic} {}/{}", letter.source.0, letter.source.1);
        let at = Timestamp(letter.set_aside_at);
        // Writing to a string has no way to fail.
        let _ = writeln!(
            text,
            "{:<10} {:<9} {from:<16} {at:<25} {}",
            letter.id.to_string(),
            letter.group,
            letter.reason
        );
    }
    text
}

fn show(letter: &DeadLetter, topic: &str) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: String = letter
        .record
        .headers
        .iter()
        .map(|(name, value)| format!("  {}: {}\n", text(name), text(value)))
        .collect();
    format!(
        "id:        {}\nreason:    {}\ngroup:     {}\nfrom:      {topic}, partition {}, offset {}\nattempts:  {}\n\
         set aside: {}\nkey:       {}\nheaders:\n{headers}value:\n{}\n",
        letter.id,
        letter.reason,
        letter.group,
        letter.source.0,
        letter.source.1,
        letter.attempts,
        Timestamp(letter.set_aside_at),
        letter.record.key.as_deref().map_or_else(|| "(none)".to_owned(), text),
        match letter.left_out {
            Some(bytes) => format!("(left out, {bytes} bytes: too large for a letter)"),
            None => text(&letter.record.value),
        },
    )
}
