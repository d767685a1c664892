//! Where the database is, and how long it may take.

use std::{fmt, path::Path, time::Duration};

use crate::Secret;

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
    pub password: Option<Secret>,
    /// Whether the way there is encrypted.
    pub tls: Tls,
    /// Most connections for reading at once. Two more belong to the writer and to the relay.
    pub connections: usize,
    /// How long connecting may take, and waiting for a free connection.
    pub connect_within: Duration,
    /// How long a statement may take.
    pub answer_within: Duration,
}

/// Whether the way to the server is encrypted.
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
            password: None,
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
    /// Reads `<prefix>_HOST`, `_PORT`, `_DATABASE`, `_USER`, `_PASSWORD` or `_PASSWORD_FILE`, `_TLS` (`disabled`),
    /// `_CONNECTIONS`, `_CONNECT_MS` and `_ANSWER_MS` from `lookup`; what is not set stays as in `defaults`.
    ///
    /// All mistakes are told at once.
    pub fn from_names(
        prefix: &str,
        defaults: &Self,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Mistake>> {
        let mut names = Names { prefix, lookup, mistakes: Vec::new() };
        let settings = Self {
            host: names.text("HOST", &defaults.host),
            port: names.number("PORT", defaults.port, 1),
            database: names.text("DATABASE", &defaults.database),
            user: names.text("USER", &defaults.user),
            password: names.password().or_else(|| defaults.password.clone()),
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

    fn password(&mut self) -> Option<Secret> {
        match (self.get("PASSWORD"), self.get("PASSWORD_FILE")) {
            (Some(_), Some(_)) => {
                self.mistake("PASSWORD", "is set beside PASSWORD_FILE: which of them is meant?");
                None
            }
            (Some(password), None) => Some(Secret::new(password)),
            (None, Some(file)) => match Secret::read(Path::new(&file)) {
                Ok(password) => Some(password),
                Err(error) => {
                    self.mistake("PASSWORD_FILE", format_args!("'{file}' cannot be read: {error}"));
                    None
                }
            },
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, Vec<Mistake>> {
        let lookup =
            |name: &str| pairs.iter().find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned());
        Settings::from_names("STORE", &Settings::default(), lookup)
    }

    #[test]
    fn what_is_not_set_stays_as_it_is() {
        assert_eq!(read(&[]), Ok(Settings::default()));
        let found = read(&[("STORE_HOST", "db"), ("STORE_PORT", "5433"), ("STORE_ANSWER_MS", "700")]);
        let expected = Settings {
            host: "db".to_owned(),
            port: 5433,
            answer_within: Duration::from_millis(700),
            ..Settings::default()
        };
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let mistakes = read(&[
            ("STORE_HOST", " "),
            ("STORE_PORT", "0"),
            ("STORE_CONNECTIONS", "many"),
            ("STORE_TLS", "maybe"),
            ("STORE_PASSWORD_FILE", "/nowhere/at/all"),
        ])
        .expect_err("five mistakes");
        let names: Vec<_> = mistakes.iter().map(|mistake| mistake.name.as_str()).collect();
        let told = ["STORE_HOST", "STORE_PORT", "STORE_PASSWORD_FILE", "STORE_TLS", "STORE_CONNECTIONS"];
        assert_eq!(names, told, "{mistakes:?}");
        let both = [("STORE_PASSWORD", "a"), ("STORE_PASSWORD_FILE", "b")];
        assert_eq!(read(&both).expect_err("which?").len(), 1);
    }

    #[test]
    fn a_password_is_read_from_a_file_and_never_shown() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "ge heim\n").expect("written");
        let path = file.path().to_str().expect("a path");
        let settings = read(&[("STORE_PASSWORD_FILE", path)]).expect("settings");
        assert_eq!(settings.password, Some(Secret::new("ge heim")));
        let shown = format!("{settings:?}");
        assert!(shown.contains("***") && !shown.contains("heim"), "{shown}");
    }
}
