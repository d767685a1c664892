CREATE TABLE topics (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- The log of all topics: in each row records that were published together, encoded one after the other. The offset
-- counts over all of them, so that appending touches one edge of one tree and a member that owns every partition reads
-- in one range. Within a partition offsets grow, with gaps.
CREATE TABLE batches (
    last         INTEGER PRIMARY KEY, -- the offset of its last record
    first        INTEGER NOT NULL,
    topic        INTEGER NOT NULL,
    published_at INTEGER NOT NULL, -- milliseconds since 1970 UTC
    records      BLOB    NOT NULL
) STRICT;

-- The first offset after the last record, per partition.
CREATE TABLE ends (
    topic       INTEGER NOT NULL,
    "partition" INTEGER NOT NULL,
    "end"       INTEGER NOT NULL,
    PRIMARY KEY (topic, "partition")
) STRICT, WITHOUT ROWID;

-- The first offset that a group has not committed, per partition.
CREATE TABLE positions (
    topic       INTEGER NOT NULL,
    grp         TEXT    NOT NULL,
    "partition" INTEGER NOT NULL,
    committed   INTEGER NOT NULL,
    PRIMARY KEY (topic, grp, "partition")
) STRICT, WITHOUT ROWID;
