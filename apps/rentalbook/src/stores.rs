//! The files of the data folder.

use std::sync::Arc;

use contracts::{GROUPS, TOPIC, WireClock};
use delivery::adapters::outbound::sqlite::SqliteDeliveries;
use mypage::{adapters::outbound::redb::RedbView, query::View as _};
use order::adapters::outbound::sqlite::SqliteOrders;
use platform_outbox::Outbox;
use platform_storage::LogBus;
use rent::adapters::outbound::sqlite::SqliteRents;
use tokio::task::spawn_blocking;

use crate::{data_folder::DataFolder, parts::Parts};

/// Everything that the embedded library keeps.
#[derive(Clone)]
pub struct Stores {
    /// order's file.
    pub orders: SqliteOrders,
    /// rent's file.
    pub rents: SqliteRents,
    /// delivery's file.
    pub deliveries: SqliteDeliveries,
    /// mypage's file.
    pub view: Arc<RedbView>,
    /// The topic.
    pub bus: LogBus,
}

/// A file that cannot be used; its text is one sentence.
#[derive(Debug, thiserror::Error)]
pub enum StoresError {
    /// One of the SQLite files.
    #[error(transparent)]
    Sqlite(#[from] platform_storage::OpenError),
    /// The view's file.
    #[error(transparent)]
    View(#[from] mypage::adapters::outbound::redb::OpenError),
    /// The view could not be built again.
    #[error("the customers' view could not be built from the topic: {0}")]
    Rebuild(#[from] mypage::rebuild::RebuildError),
    /// The view could not be asked.
    #[error(transparent)]
    Unavailable(#[from] mypage::query::Unavailable),
    /// Opening came to no end.
    #[error("the data folder was not opened: {0}")]
    Failed(String),
}

impl Stores {
    /// Opens or creates all files. A view that was lost or is new is built from the topic.
    ///
    /// Without `partitions` the topic has as many as it had, or the default. Either part may take long, and can be
    /// given up at any moment: nothing is changed then that the next opening would miss.
    pub async fn open(
        folder: &Arc<DataFolder>,
        clock: &WireClock,
        partitions: Option<u32>,
    ) -> Result<Self, StoresError> {
        let stores = {
            // It has the folder, too: opening goes on when nobody waits for it any more.
            let (folder, clock) = (Arc::clone(folder), clock.clone());
            spawn_blocking(move || Self::open_files(&folder, &clock, partitions))
                .await
                .map_err(|error| StoresError::Failed(error.to_string()))??
        };
        if !stores.view.is_complete().await? {
            mypage::rebuild::rebuild(&*stores.view, &stores.bus, TOPIC).await?;
        }
        Ok(stores)
    }

    /// Blocks.
    fn open_files(
        folder: &DataFolder,
        clock: &WireClock,
        partitions: Option<u32>,
    ) -> Result<Self, StoresError> {
        Ok(Self {
            orders: SqliteOrders::open(&folder.file("order.db"), clock.clone())?,
            rents: SqliteRents::open(&folder.file("rent.db"), clock.clone())?,
            deliveries: SqliteDeliveries::open(&folder.file("delivery.db"), clock.clone())?,
            bus: LogBus::open(&folder.file("bus.db"), partitions)?,
            // Last: opening it writes into it, and a library that does not start changes nothing.
            view: Arc::new(RedbView::open(&folder.file("mypage.redb"))?),
        })
    }

    /// What is committed and not published yet.
    #[must_use]
    pub fn outboxes(&self) -> Vec<Arc<dyn Outbox>> {
        vec![
            Arc::new(self.orders.outbox()),
            Arc::new(self.rents.outbox()),
            Arc::new(self.deliveries.outbox()),
        ]
    }

    /// The same for the tools.
    #[must_use]
    pub fn parts(&self) -> Parts {
        Parts {
            orders: Arc::new(self.orders.clone()),
            rents: Arc::new(self.rents.clone()),
            deliveries: Arc::new(self.deliveries.clone()),
            view: self.view.clone(),
            bus: Arc::new(self.bus.clone()),
            outboxes: self.outboxes(),
            topic: TOPIC.to_owned(),
            groups: GROUPS.map(str::to_owned).into(),
        }
    }
}
