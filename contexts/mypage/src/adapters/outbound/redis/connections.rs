//! Connections to the server: opened when they are needed, and again where they have broken.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo as _, RedisConnectionInfo,
    RedisError, aio::MultiplexedConnection,
};
use tokio::time::Instant;

use super::{RedisSettings, Tls};
use crate::query::Unavailable;

/// Connections at once. Each of them carries any number of questions; a second one keeps one full page of rows from
/// holding up everybody else.
const CONNECTIONS: usize = 2;

/// After a connection could not be opened everybody is told so for so long, and nobody waits for another attempt.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Connections {
    settings: RedisSettings,
    slots: [Slot; CONNECTIONS],
    turn: AtomicUsize,
}

#[derive(Default)]
struct Slot {
    connection: Mutex<Option<MultiplexedConnection>>,
    /// Held by the one who opens it: when that failed last, and why.
    opening: tokio::sync::Mutex<Option<(Instant, String)>>,
}

impl Connections {
    pub(super) fn new(settings: RedisSettings) -> Self {
        Self { settings, slots: Default::default(), turn: AtomicUsize::new(0) }
    }

    /// Asks something over one of the connections.
    pub(super) async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(MultiplexedConnection) -> Result<T, RedisError>,
    ) -> Result<T, Unavailable> {
        let slot = &self.slots[self.turn.fetch_add(1, Ordering::Relaxed) % CONNECTIONS];
        let connection = slot.connection(&self.settings).await.map_err(Unavailable)?;
        question(connection).await.map_err(|error| {
            // A question that the server does not understand says nothing about the connection.
            if error.is_connection_dropped() || error.is_io_error() || error.is_timeout() {
                *slot.connection.lock() = None;
            }
            Unavailable(told(&error))
        })
    }
}

impl Slot {
    async fn connection(&self, settings: &RedisSettings) -> Result<MultiplexedConnection, String> {
        if let Some(connection) = &*self.connection.lock() {
            return Ok(connection.clone());
        }
        let mut failed = self.opening.lock().await;
        if let Some(connection) = &*self.connection.lock() {
            return Ok(connection.clone());
        }
        if let Some((_, reason)) = failed.as_ref().filter(|(at, _)| at.elapsed() < PAUSE) {
            return Err(reason.clone());
        }
        match open(settings).await {
            Ok(connection) => {
                *failed = None;
                *self.connection.lock() = Some(connection.clone());
                Ok(connection)
            }
            Err(reason) => {
                *failed = Some((Instant::now(), reason.clone()));
                Err(reason)
            }
        }
    }
}

/// The password is asked for anew each time: it may have been changed.
async fn open(settings: &RedisSettings) -> Result<MultiplexedConnection, String> {
    let Tls::Disabled = settings.tls;
    let mut who = RedisConnectionInfo::default().set_db(i64::from(settings.database));
    if let Some(user) = &settings.user {
        who = who.set_username(user);
    }
    if let Some(password) = settings.password.now()? {
        who = who.set_password(password.expose());
    }
    let place = ConnectionAddr::Tcp(settings.host.clone(), settings.port);
    let info = place.into_connection_info().map_err(|error| told(&error))?.set_redis_settings(who);
    let client = Client::open(info).map_err(|error| told(&error))?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(settings.answer_within))
        .set_response_timeout(Some(settings.answer_within));
    client.get_multiplexed_async_connection_with_config(&config).await.map_err(|error| {
        let RedisSettings { host, port, .. } = settings;
        format!("Redis on {host}:{port}: {}", told(&error))
    })
}

/// What went wrong, without what was asked: that may be a password.
fn told(error: &RedisError) -> String {
    let is_stranger = error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
    if is_stranger {
        return "it does not let this user with this password in".to_owned();
    }
    error.to_string()
}
