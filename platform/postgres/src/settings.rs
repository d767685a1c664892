//! Where the database is, and how long it may take.

use std::{fmt, path::Path, str::FromStr, time::Duration};

use tokio_postgres::config::{Config, Host};

use crate::{Password, Secret};

/// How to reach a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name or address of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database; it has to exist.
    pub database: String,
    /// Who we are.
    pub user: String,
    /// What proves it, where the server asks.
    pub password: Password,
    /// Whether the way there is encrypted.
    pub tls: Tls,
    /// Most connections for reading at once. Three more belong to the writer, to the relay, and to the one who looks
    /// whether the server is there.
    pub connections: usize,
    /// How long connecting may take, waiting for a free connection, and the answer to the smallest question: later
    /// the server counts as away.
    pub connect_within: Duration,
    /// How long a statement may take.
    pub answer_within: Duration,
}

/// Whether the way to the server is encrypted.
///
/// There is one way yet. Another one gets its variant here, its word in [`Settings::from_names`] (`_TLS`, and
/// `sslmode` of a URL), and its connector where connections are made: the compiler leads to that place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tls {
    /// It is not: for a network that only we can see.
    #[default]
    Disabled,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 5432,
            database: "postgres".to_owned(),
            user: "postgres".to_owned(),
            password: Password::None,
            tls: Tls::Disabled,
            connections: 8,
            connect_within: Duration::from_secs(2),
            answer_within: Duration::from_secs(5),
        }
    }
}

/// Something wrong with a setting, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct Mistake {
    /// The setting.
    pub name: String,
    /// What is wrong.
    pub reason: String,
}

impl Settings {
    /// Reads `<prefix>_URL` (`postgres://user:password@host:port/database`) and the single names `_HOST`, `_PORT`,
    /// `_DATABASE`, `_USER`, `_PASSWORD` or `_PASSWORD_FILE`, `_TLS` (`disabled`), `_CONNECTIONS`, `_CONNECT_MS` and
    /// `_ANSWER_MS` from `lookup`, which may look wherever it wants: environment, file, flags.
    ///
    /// A single name counts more than the same in the URL; what is set nowhere stays as in `defaults`. All mistakes
    /// are told at once, and none of them shows a password.
    pub fn from_names(
        prefix: &str,
        defaults: &Self,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Mistake>> {
        let mut names = Names { prefix, lookup, mistakes: Vec::new() };
        let defaults = &names.url(defaults);
        let settings = Self {
            host: names.text("HOST", &defaults.host),
            port: names.number("PORT", defaults.port, 1),
            database: names.text("DATABASE", &defaults.database),
            user: names.text("USER", &defaults.user),
            password: names.password().unwrap_or_else(|| defaults.password.clone()),
            tls: names.tls(defaults.tls),
            connections: names.number("CONNECTIONS", defaults.connections, 1),
            connect_within: names.millis("CONNECT_MS", defaults.connect_within),
            answer_within: names.millis("ANSWER_MS", defaults.answer_within),
        };
        if names.mistakes.is_empty() { Ok(settings) } else { Err(names.mistakes) }
    }
}

struct Names<'p, L> {
    prefix: &'p str,
    lookup: L,
    mistakes: Vec<Mistake>,
}

impl<L: Fn(&str) -> Option<String>> Names<'_, L> {
    fn get(&self, name: &str) -> Option<String> {
        (self.lookup)(&format!("{}_{name}", self.prefix))
    }

    fn mistake(&mut self, name: &str, reason: impl fmt::Display) {
        self.mistakes.push(Mistake { name: format!("{}_{name}", self.prefix), reason: reason.to_string() });
    }

    fn text(&mut self, name: &str, default: &str) -> String {
        let found = self.get(name).unwrap_or_else(|| default.to_owned());
        if found.trim().is_empty() {
            self.mistake(name, "is empty");
        }
        found
    }

    fn number<N>(&mut self, name: &str, default: N, least: N) -> N
    where
        N: Copy + std::str::FromStr<Err: fmt::Display> + PartialOrd + fmt::Display,
    {
        let Some(text) = self.get(name) else { return default };
        match text.trim().parse::<N>() {
            Ok(number) if number >= least => return number,
            Ok(_) => self.mistake(name, format_args!("'{text}' is less than {least}")),
            Err(error) => self.mistake(name, format_args!("'{text}' is no number that fits ({error})")),
        }
        default
    }

    fn millis(&mut self, name: &str, default: Duration) -> Duration {
        let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.number(name, default, 1))
    }

    fn url(&mut self, defaults: &Settings) -> Settings {
        let url = self.get("URL").unwrap_or_default();
        if url.trim().is_empty() {
            return defaults.clone();
        }
        from_url(url.trim(), defaults).unwrap_or_else(|reason| {
            self.mistake("URL", reason);
            defaults.clone()
        })
    }

    fn password(&mut self) -> Option<Password> {
        match (self.get("PASSWORD"), self.get("PASSWORD_FILE")) {
            (Some(_), Some(_)) => {
                self.mistake("PASSWORD", "is set beside PASSWORD_FILE: which of them is meant?");
                None
            }
            (Some(password), None) => Some(Password::Text(Secret::new(password))),
            (None, Some(file)) => {
                // It is read again for every connection; a wrong name is told now.
                if let Err(error) = Secret::read(Path::new(&file)) {
                    self.mistake("PASSWORD_FILE", format_args!("'{file}' cannot be read: {error}"));
                }
                Some(Password::File(file.into()))
            }
            (None, None) => None,
        }
    }

    fn tls(&mut self, default: Tls) -> Tls {
        match self.get("TLS").as_deref() {
            None => default,
            Some("disabled") => Tls::Disabled,
            Some(other) => {
                self.mistake("TLS", format_args!("'{other}' is not known; there is 'disabled'"));
                default
            }
        }
    }
}

/// What a URL says. The reason why it cannot be read does not repeat it: there may be a password in it.
fn from_url(url: &str, defaults: &Settings) -> Result<Settings, &'static str> {
    const FORM: &str = "is not of the form postgres://user:password@host:port/database";
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(FORM);
    }
    let read = Config::from_str(url).map_err(|_| FORM)?;
    let host = match read.get_hosts() {
        [Host::Tcp(host)] => host.clone(),
        [] => defaults.host.clone(),
        _ => return Err("names more than one host, or a socket: one host is expected"),
    };
    if url.split_once('?').is_some_and(|(_, options)| options != "sslmode=disable") {
        return Err("has options after '?', of which only sslmode=disable is known");
    }
    let mut settings = Settings { host, ..defaults.clone() };
    if let [port, ..] = read.get_ports() {
        settings.port = *port;
    }
    if let Some(database) = read.get_dbname() {
        settings.database = database.to_owned();
    }
    if let Some(user) = read.get_user() {
        settings.user = user.to_owned();
    }
    if let Some(password) = read.get_password() {
        let password = std::str::from_utf8(password).map_err(|_| "has a password that is no text")?;
        settings.password = Password::Text(Secret::new(password));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests;
