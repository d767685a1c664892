-- What is committed and not published yet.
CREATE TABLE outbox (
    seq     INTEGER PRIMARY KEY,
    key     BLOB NOT NULL,
    headers BLOB NOT NULL,
    value   BLOB NOT NULL
) STRICT;

-- Kept totals. A total is the sum over its slots, so that several writers need not meet in one row.
CREATE TABLE totals (
    name TEXT    NOT NULL,
    slot INTEGER NOT NULL,
    n    INTEGER NOT NULL,
    PRIMARY KEY (name, slot)
) STRICT, WITHOUT ROWID;
