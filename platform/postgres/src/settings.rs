//! Where the database is, and how long it may take.

use std::time::Duration;

use crate::Password;

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
/// There is one way yet. Another one gets its variant here, its word where settings are read, and its connector where
/// connections are made: the compiler leads to both places.
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
