//! Connections for reading.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use deadpool_postgres::{
    Connect, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls, Row, types::ToSql};

use crate::{
    Settings, StoreError,
    connect::{Purpose, config, within},
    error::{self, Failure},
    standing::Standing,
};

/// Connections that are opened when they are needed and kept.
#[derive(Clone)]
pub(crate) struct Readers {
    pool: Pool,
    deadline: Duration,
    standing: Arc<Standing>,
}

/// Connects with the password as it is at that moment.
struct WithPassword(Settings);

type Connected = Result<(Client, JoinHandle<()>), tokio_postgres::Error>;

impl Connect for WithPassword {
    fn connect(&self, plain: &Config) -> Pin<Box<dyn Future<Output = Connected> + Send + '_>> {
        // Without a password that can be read the server says itself that it wants one.
        let config = config(&self.0, Purpose::Reading).unwrap_or_else(|_| plain.clone());
        Box::pin(async move {
            let (client, connection) = config.connect(NoTls).await?;
            let driving = tokio::spawn(async move {
                // Whoever uses it is told of its end.
                let _ = connection.await;
            });
            Ok((client, driving))
        })
    }
}

impl Readers {
    pub(crate) fn new(settings: &Settings, standing: Arc<Standing>) -> Self {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let mut plain = Config::new();
        plain.host(&settings.host).port(settings.port).dbname(&settings.database).user(&settings.user);
        let manager = Manager::from_connect(plain, WithPassword(settings.clone()), recycling);
        let pool = Pool::builder(manager)
            .max_size(settings.connections)
            .runtime(Runtime::Tokio1)
            .timeouts(deadpool_postgres::Timeouts {
                wait: Some(settings.connect_within),
                create: Some(settings.connect_within),
                recycle: Some(settings.connect_within),
            })
            .build()
            .expect("a pool fails only where its timeouts have no runtime");
        Self { pool, deadline: settings.answer_within, standing }
    }

    /// The rows of a statement that only reads; where it is `kept`, it is prepared once for each connection. While the
    /// server is known to be away, nobody waits to find out.
    pub(crate) async fn query(
        &self,
        sql: &str,
        kept: bool,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        self.standing.check()?;
        match self.try_query(sql, kept, parameters).await {
            // The server was away meanwhile, and the pool did not know: another connection, and again.
            Err(Failure::Connection(_)) => {
                self.pool.retain(|client, _| !client.is_closed());
                Ok(self.try_query(sql, kept, parameters).await?)
            }
            answer => Ok(answer?),
        }
    }

    async fn try_query(
        &self,
        sql: &str,
        kept: bool,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        let client = self.client().await?;
        let answer = within(self.deadline, async {
            let statement =
                if kept { client.prepare_cached(sql).await? } else { client.prepare(sql).await? };
            client.query(&statement, parameters).await
        });
        let answer = answer.await;
        if let Err(Failure::Connection(_) | Failure::Late(_)) = &answer {
            // Whatever it still has to say, nobody listens.
            drop(Object::take(client));
        }
        answer
    }

    async fn client(&self) -> Result<Object, Failure> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => Failure::Refused(error::text(&error)),
            PoolError::Timeout(TimeoutType::Wait) => {
                Failure::Refused("every connection to PostgreSQL is busy".to_owned())
            }
            PoolError::Timeout(_) => Failure::Refused("PostgreSQL did not answer in time".to_owned()),
            error => Failure::Refused(error.to_string()),
        })
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }
}
