CREATE TABLE orders (
    id              INTEGER PRIMARY KEY,
    item            TEXT NOT NULL,
    customer        TEXT,
    -- 0 pending, 1 ordered, 2 rejected by a rule, 3 rejected as unavailable, 4 cancelling, 5 canceled, 6 shipped
    state           INTEGER NOT NULL CHECK (state BETWEEN 0 AND 6),
    reason          TEXT CHECK ((reason IS NULL) = (state <> 2)),
    ordered_said    INTEGER NOT NULL,
    deferred_said   INTEGER NOT NULL,
    idempotency_key TEXT,
    version         INTEGER NOT NULL,
    placed_at       INTEGER NOT NULL, -- milliseconds since 1970 UTC
    changed_at      INTEGER NOT NULL
) STRICT;

-- Few at any time: what the resume worker looks through.
CREATE INDEX pending ON orders (id) WHERE state = 0;

CREATE UNIQUE INDEX idempotency_keys ON orders (idempotency_key) WHERE idempotency_key IS NOT NULL;
