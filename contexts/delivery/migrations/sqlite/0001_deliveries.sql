CREATE TABLE deliveries (
    order_id   INTEGER PRIMARY KEY,
    id         INTEGER UNIQUE,
    customer   TEXT,
    -- 0 release remembered, 1 held, 2 released, 3 handed over, 4 canceled, 5 tombstone
    state      INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL, -- milliseconds since 1970 UTC
    changed_at INTEGER NOT NULL,
    CHECK ((id IS NULL) = (state = 0))
) STRICT;

-- The collection in its two fast orders. Without them a page would have to pass over everything that is not shown.
CREATE INDEX shown_by_id ON deliveries (id) WHERE state BETWEEN 1 AND 4;
CREATE INDEX shown_by_order_id ON deliveries (order_id) WHERE state BETWEEN 1 AND 4;
