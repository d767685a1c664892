//! How many partitions a log has. The file says it: who opens the log with fewer would never read the others.

use std::path::Path;

use platform_event_bus::DEFAULT_PARTITIONS;
use rusqlite::{Connection, OptionalExtension as _};

use crate::{OpenError, error};

/// The number to open the log with, which the file has from then on: `asked` where somebody asked, else what the file
/// has. Fewer than that are refused, and nothing is changed.
pub(super) fn settle(connection: &Connection, path: &Path, asked: Option<u32>) -> Result<u32, OpenError> {
    let failed = |error: rusqlite::Error| error::open_error(path, &error);
    let kept: Option<u32> =
        connection.query_row("SELECT n FROM partitions", [], |row| row.get(0)).optional().map_err(failed)?;
    // A log without the number tells by its records how many there are at least.
    let used: u32 = connection
        .query_row(
            r#"SELECT coalesce(max("partition") + 1, 1) FROM
               (SELECT "partition" FROM ends UNION ALL SELECT "partition" FROM positions)"#,
            [],
            |row| row.get(0),
        )
        .map_err(failed)?;
    let least = kept.unwrap_or(0).max(used);
    let n = match asked {
        Some(asked) if asked < least => {
            return Err(OpenError::FewerPartitions { path: path.to_owned(), asked, least });
        }
        Some(asked) => asked,
        None => kept.unwrap_or(DEFAULT_PARTITIONS).max(used),
    };
    if kept != Some(n) {
        connection
            .execute(
                "INSERT INTO partitions (one, n) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET n = excluded.n",
                [n],
            )
            .map_err(failed)?;
    }
    Ok(n)
}
