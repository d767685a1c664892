//! Connections for reading.

use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use tokio_postgres::{NoTls, Row, types::ToSql};

use crate::{
    OpenError, Settings, StoreError,
    connect::{Purpose, config, within},
    error::{self, Failure},
    schema::unusable,
};

/// Connections that are opened when they are needed and kept.
#[derive(Clone)]
pub(crate) struct Readers {
    pool: Pool,
    deadline: Duration,
}

impl Readers {
    pub(crate) fn new(settings: &Settings) -> Result<Self, OpenError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config(settings, Purpose::Reading), NoTls, recycling);
        let pool = Pool::builder(manager)
            .max_size(settings.connections)
            .runtime(Runtime::Tokio1)
            .timeouts(deadpool_postgres::Timeouts {
                wait: Some(settings.connect_within),
                create: Some(settings.connect_within),
                recycle: Some(settings.connect_within),
            })
            .build()
            .map_err(|error| unusable(settings, error.to_string()))?;
        Ok(Self { pool, deadline: settings.answer_within })
    }

    /// The rows of a statement that only reads; where it is `kept`, it is prepared once for each connection.
    pub(crate) async fn query(
        &self,
        sql: &str,
        kept: bool,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
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
