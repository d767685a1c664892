//! A part of a collection, and the shorter way to it.

use std::borrow::Cow;

use rusqlite::{Connection, Row};

use crate::sqlite::kept_total;

/// A part of a collection, as a client asks for it.
///
/// What it costs: sorted by an index, the rows from the nearer end of the collection to the end of the part; so the
/// last page costs what the first does, and only the way into the middle grows with the collection. Sorted by
/// anything else, all rows.
#[derive(Clone, Debug)]
pub struct Part {
    /// `SELECT … FROM … [WHERE …]`: the collection, not sorted.
    pub select: &'static str,
    /// The kept total of the collection, see [`crate::Tx::count`].
    pub total: &'static str,
    /// What it is sorted by, the most important first. Together they have to tell any two rows apart.
    pub sort: Vec<Term>,
    /// Whether an index has the rows in this sequence.
    pub indexed: bool,
    /// How many rows come before the part.
    pub offset: u64,
    /// How many rows it has at most.
    pub limit: u32,
}

/// A part of a sorting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// A column, or an expression.
    pub column: Cow<'static, str>,
    /// From the largest to the smallest.
    pub descending: bool,
}

impl Part {
    /// Reads it, and how many rows the collection has; in a transaction, both are as of the same commit.
    ///
    /// # Errors
    /// Those of SQLite; `Interrupted` among them, where nobody waits for the answer any more.
    pub fn read<T>(
        &self,
        connection: &Connection,
        mut read_row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<(Vec<T>, u64)> {
        let total = kept_total(connection, self.total)?;
        let way = self.way(total);
        if way.take == 0 {
            return Ok((Vec::new(), total));
        }
        let mut statement = connection.prepare(&self.sql(way))?;
        let rows = statement.query_map((as_i64(way.take), as_i64(way.skip)), |row| read_row(row))?;
        let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        if way.from_end {
            rows.reverse();
        }
        Ok((rows, total))
    }

    /// What SQLite will do to read it, from either end of the collection: for tests, that hold an index to it.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn plans(&self, connection: &Connection) -> rusqlite::Result<Vec<String>> {
        let plan = |from_end| {
            let sql = self.sql(Way { from_end, skip: 0, take: 1 });
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let steps = statement.query_map((20, 0), |row| row.get::<_, String>(3))?;
            Ok(steps.collect::<rusqlite::Result<Vec<_>>>()?.join("; "))
        };
        [false, true].into_iter().map(plan).collect()
    }

    /// How many rows of `total` are passed to read it.
    pub(crate) fn passes(&self, total: u64) -> u64 {
        let way = self.way(total);
        if self.indexed || way.take == 0 { way.skip + way.take } else { total }
    }

    fn way(&self, total: u64) -> Way {
        Way::to(self.offset, self.limit, total)
    }

    fn sql(&self, way: Way) -> String {
        let term = |Term { column, descending }: &Term| {
            let direction = if *descending == way.from_end { "ASC" } else { "DESC" };
            format!("{column} {direction}")
        };
        let terms: Vec<_> = self.sort.iter().map(term).collect();
        format!("{} ORDER BY {} LIMIT ?1 OFFSET ?2", self.select, terms.join(", "))
    }
}

/// How a part is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    /// Whether from the other end.
    from_end: bool,
    /// What is passed over.
    skip: u64,
    /// What is taken.
    take: u64,
}

impl Way {
    /// The shorter one.
    fn to(offset: u64, limit: u32, total: u64) -> Self {
        let take = total.saturating_sub(offset).min(u64::from(limit));
        let behind = total.saturating_sub(offset).saturating_sub(take);
        match take {
            0 => Self { from_end: false, skip: 0, take },
            _ if offset <= behind => Self { from_end: false, skip: offset, take },
            _ => Self { from_end: true, skip: behind, take },
        }
    }
}

fn as_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use super::*;

    const ROWS: u64 = 100_000;

    /// `ROWS` rows with ids from 1, and a text that sorts in another sequence.
    fn a_large_table() -> Connection {
        let connection = Connection::open_in_memory().expect("a database");
        let rows = "CREATE TABLE totals (name TEXT, slot INTEGER, n INTEGER);
             CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
             WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 100000)
             INSERT INTO notes SELECT id, (id * 7919) % 1009 FROM n;
             INSERT INTO totals VALUES ('notes', 0, 99999), ('notes', 1, 1), ('other', 0, 5);";
        connection.execute_batch(rows).expect("rows");
        connection
    }

    fn part(sort: &[(&'static str, bool)], offset: u64, limit: u32) -> Part {
        let term = |&(column, descending): &(&'static str, bool)| Term { column: column.into(), descending };
        let (sort, indexed) = (sort.iter().map(term).collect(), sort[0].0 == "id");
        Part { select: "SELECT id FROM notes", total: "notes", sort, indexed, offset, limit }
    }

    fn ids(connection: &Connection, part: &Part) -> Vec<i64> {
        let (ids, total) = part.read(connection, |row| row.get(0)).expect("a part");
        assert_eq!(total, ROWS);
        ids
    }

    /// How many steps SQLite's machine takes for it.
    fn steps(connection: &mut Connection, part: &Part) -> u64 {
        let steps = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&steps);
        let count = move || {
            counter.fetch_add(1, Ordering::Relaxed);
            false
        };
        connection.progress_handler(1, Some(count)).expect("a handler");
        ids(connection, part);
        connection.progress_handler(0, None::<fn() -> bool>).expect("none");
        steps.load(Ordering::Relaxed)
    }

    #[test]
    fn the_last_page_costs_what_the_first_does_and_the_middle_half_of_the_collection() {
        let mut table = a_large_table();
        for descending in [false, true] {
            let mut steps = |offset| steps(&mut table, &part(&[("id", descending)], offset, 20));
            let first = steps(0);
            assert!(first < 1_000, "{first} steps");
            for near_the_end in [ROWS - 20, ROWS - 7] {
                assert!(steps(near_the_end) <= first + 10, "{near_the_end}: {} steps", steps(near_the_end));
            }
            assert!(steps(ROWS - 1_020) <= first + 10 * 1_000, "a thousand rows from the end");
            assert_eq!(steps(ROWS + 5), steps(u64::MAX), "beyond the end nothing is looked for");
            assert!(steps(ROWS + 5) < first);
            let middle = steps(ROWS / 2);
            assert!(middle > ROWS / 2 && middle < 10 * ROWS / 2, "what stays linear: {middle} steps");
        }
        let by_text = steps(&mut table, &part(&[("text", false), ("id", false)], 0, 20));
        assert!(by_text > ROWS, "what no index has in its sequence: {by_text} steps");
    }

    #[test]
    fn the_nearer_end_leads_to_the_same_rows() {
        let table = a_large_table();
        for sort in [
            &[("id", false)][..],
            &[("id", true)],
            &[("text", false), ("id", false)],
            &[("text", true), ("id", false)],
        ] {
            let all = ids(&table, &part(sort, 0, 100_000));
            assert_eq!(all.len() as u64, ROWS);
            for (offset, limit) in [(0, 3), (49_999, 3), (50_001, 3), (99_990, 7), (99_990, 20), (99_999, 1)]
            {
                let until = (offset + limit as usize).min(all.len());
                let found = ids(&table, &part(sort, offset as u64, limit));
                assert_eq!(found, all[offset..until], "{sort:?} from {offset}");
            }
        }
    }

    #[test]
    fn what_a_part_passes_over_is_known_before() {
        let passes = |sort: &[_], offset| part(sort, offset, 20).passes(ROWS);
        let by_id = [("id", false)];
        let cases = [(0, 20), (1_000, 1_020), (ROWS - 20, 20), (ROWS - 1_020, 1_020), (ROWS, 0)];
        for (offset, rows) in cases {
            assert_eq!(passes(&by_id, offset), rows, "from {offset}");
        }
        assert_eq!(passes(&[("text", false), ("id", false)], 0), ROWS);
    }
}
