//! Connections.

use std::{future::Future, sync::Arc, time::Duration};

use futures_util::future::poll_fn;
use tokio::{sync::Notify, time::timeout};
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

use crate::{
    Settings, Tls,
    error::{Failure, Unreached},
};

/// A host that is gone is noticed after so long, on both sides: without it the server would keep the locks of a dead
/// process for hours. On a connection that is quiet it takes these three together.
const QUIET_BEFORE_PROBES: Duration = Duration::from_secs(5);
const BETWEEN_PROBES: Duration = Duration::from_secs(2);
const PROBES: u32 = 3;

/// On a connection with something under way: it may go unacknowledged for so long.
const UNACKNOWLEDGED: Duration = Duration::from_secs(11);

/// The server ends a session with a lock from which it hears nothing for so long. A process that is frozen, on a host
/// that goes on, would keep its locks otherwise. Both that have locks say something far more often.
const SILENT: Duration = Duration::from_secs(10);

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
    /// Looking whether the server is there, and holding the lock of what one process at a time does.
    Watching,
}

impl Purpose {
    /// Settings of the session.
    fn options(self, settings: &Settings) -> String {
        let deadline = settings.answer_within.as_millis();
        // Tables grow faster than their statistics: what looks for rows by key must never be planned as a walk over
        // all of them, because there were few when it was planned.
        let by_index = "-c enable_seqscan=off -c jit=off";
        let by_key = "-c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off";
        let with_a_lock = format!("-c idle_session_timeout={}", SILENT.as_millis());
        let own = match self {
            Self::Migrating => String::new(),
            Self::Reading => format!("-c statement_timeout={deadline} {by_index}"),
            Self::Writing => {
                format!("-c statement_timeout={deadline} -c synchronous_commit=on {by_index} {by_key}")
            }
            Self::Relaying => format!(
                "-c statement_timeout={deadline} -c synchronous_commit=off {by_index} -c enable_sort=off \
                 {with_a_lock}"
            ),
            Self::Watching => format!("-c statement_timeout={deadline} {by_index} {with_a_lock}"),
        };
        format!(
            "{own} -c tcp_keepalives_idle={} -c tcp_keepalives_interval={} -c tcp_keepalives_count={PROBES} \
             -c tcp_user_timeout={}",
            QUIET_BEFORE_PROBES.as_secs(),
            BETWEEN_PROBES.as_secs(),
            UNACKNOWLEDGED.as_millis()
        )
    }
}

/// How the driver connects, with the password as it is now.
pub(crate) fn config(settings: &Settings, purpose: Purpose) -> Result<Config, Unreached> {
    // The place of every other way there: it gets its connector here and below.
    let Tls::Disabled = settings.tls;
    let mut config = Config::new();
    config
        .host(&settings.host)
        .port(settings.port)
        .dbname(&settings.database)
        .user(&settings.user)
        .connect_timeout(settings.connect_within)
        .tcp_user_timeout(UNACKNOWLEDGED)
        .keepalives_idle(QUIET_BEFORE_PROBES)
        .keepalives_interval(BETWEEN_PROBES)
        .keepalives_retries(PROBES)
        .application_name(format!("rentalbook {purpose:?}").to_lowercase())
        .options(purpose.options(settings));
    let password = settings.password.now().map_err(|reason| Unreached { reason, passes: false })?;
    if let Some(password) = password {
        config.password(password.expose());
    }
    Ok(config)
}

/// A connection of its own. `news` is told of every notification, and of the connection's end.
pub(crate) async fn connect(
    settings: &Settings,
    purpose: Purpose,
    news: Option<Arc<Notify>>,
) -> Result<Client, Unreached> {
    let config = config(settings, purpose)?;
    // The driver's own limit is for each address and not for the whole of it.
    let connected = timeout(settings.connect_within, config.connect(NoTls)).await;
    let late = |_| Unreached { reason: too_late(settings.connect_within), passes: true };
    let (client, mut connection) = connected.map_err(late)??;
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let (AsyncMessage::Notification(_), Some(news)) = (&message, &news) {
                news.notify_one();
            }
        }
        // The client knows of the end only when this is gone.
        drop(connection);
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
