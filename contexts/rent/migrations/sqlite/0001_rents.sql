CREATE TABLE rents (
    id         INTEGER PRIMARY KEY,
    order_id   INTEGER NOT NULL UNIQUE,
    customer   TEXT,
    -- 0 rented, 1 with the courier; cancelled: 2 refused, 3 tombstone, 4 copy bound, 5 copy free
    state      INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
    reason     TEXT CHECK ((reason IS NULL) = (state <> 2)),
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL, -- milliseconds since 1970 UTC
    changed_at INTEGER NOT NULL
) STRICT;
