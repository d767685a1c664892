-- What is committed and not published yet: the messages of one transaction in each row, encoded one after the other.
-- Their places are first to last; a message of its own row would cost as much as the row that it tells of.
CREATE TABLE outbox (
    last     INTEGER PRIMARY KEY,
    first    INTEGER NOT NULL,
    messages BLOB    NOT NULL
) STRICT;

-- Kept totals. A total is the sum over its slots, so that several writers need not meet in one row.
CREATE TABLE totals (
    name TEXT    NOT NULL,
    slot INTEGER NOT NULL,
    n    INTEGER NOT NULL,
    PRIMARY KEY (name, slot)
) STRICT, WITHOUT ROWID;
