//! Connections.

use std::{future::Future, sync::Arc, time::Duration};

use futures_util::future::poll_fn;
use tokio::{sync::Notify, time::timeout};
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

use crate::{Settings, StoreError, Tls, error::Failure};

/// A dead peer is noticed after about these three together, on both sides.
const QUIET_BEFORE_PROBES: Duration = Duration::from_secs(5);
const BETWEEN_PROBES: Duration = Duration::from_secs(2);
const PROBES: u32 = 3;

/// The server gives a statement up when its time is over, and then it is known that nothing was written. Only a
/// server that does not even say that, so much later, leaves us in doubt.
const GRACE: Duration = Duration::from_millis(500);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Bringing the schema up to date, which may take as long as it takes.
    Migrating,
    /// Reading.
    Reading,
    /// Writing what waits, as fast as can be and durably.
    Writing,
    /// Publishing the outbox: a delete that is lost publishes again, which is harmless.
    Relaying,
}

impl Purpose {
    /// Settings of the session.
    fn options(self, settings: &Settings) -> String {
        let deadline = settings.answer_within.as_millis();
        // Tables grow faster than their statistics: what looks for rows by key must never be planned as a walk over
        // all of them, because there were few when it was planned.
        let by_index = "-c enable_seqscan=off -c jit=off";
        let by_key = "-c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off";
        let own = match self {
            Self::Migrating => String::new(),
            Self::Reading => format!("-c statement_timeout={deadline} {by_index}"),
            Self::Writing => {
                format!("-c statement_timeout={deadline} -c synchronous_commit=on {by_index} {by_key}")
            }
            Self::Relaying => {
                format!(
                    "-c statement_timeout={deadline} -c synchronous_commit=off {by_index} -c enable_sort=off"
                )
            }
        };
        format!(
            "{own} -c tcp_keepalives_idle={} -c tcp_keepalives_interval={} -c tcp_keepalives_count={PROBES}",
            QUIET_BEFORE_PROBES.as_secs(),
            BETWEEN_PROBES.as_secs()
        )
    }
}

/// How the driver connects.
pub(crate) fn config(settings: &Settings, purpose: Purpose) -> Config {
    let Tls::Disabled = settings.tls;
    let mut config = Config::new();
    config
        .host(&settings.host)
        .port(settings.port)
        .dbname(&settings.database)
        .user(&settings.user)
        .connect_timeout(settings.connect_within)
        .keepalives_idle(QUIET_BEFORE_PROBES)
        .keepalives_interval(BETWEEN_PROBES)
        .keepalives_retries(PROBES)
        .application_name(format!("rentalbook {purpose:?}").to_lowercase())
        .options(purpose.options(settings));
    if let Some(password) = &settings.password {
        config.password(password.expose());
    }
    config
}

/// A connection of its own. `news` is told of every notification, and of the connection's end.
pub(crate) async fn connect(
    settings: &Settings,
    purpose: Purpose,
    news: Option<Arc<Notify>>,
) -> Result<Client, StoreError> {
    let connecting = async {
        let connected = config(settings, purpose).connect(NoTls).await;
        connected.map_err(|error| StoreError(crate::error::text(&error)))
    };
    // The driver's own limit is for each address and not for the whole of it.
    let connected = timeout(settings.connect_within, connecting).await;
    let (client, mut connection) = connected.map_err(|_| StoreError(too_late(settings.connect_within)))??;
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let (AsyncMessage::Notification(_), Some(news)) = (&message, &news) {
                news.notify_one();
            }
        }
        if let Some(news) = news {
            news.notify_one();
        }
    });
    Ok(client)
}

/// A statement that is waited for only so long.
pub(crate) async fn within<T, E>(
    deadline: Duration,
    statement: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure>
where
    Failure: From<E>,
{
    match timeout(deadline + GRACE, statement).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::Late(too_late(deadline))),
    }
}

fn too_late(deadline: Duration) -> String {
    format!("PostgreSQL did not answer within {} ms", deadline.as_millis())
}
