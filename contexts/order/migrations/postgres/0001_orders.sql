CREATE TABLE orders (
    id              bigint PRIMARY KEY,
    item            text COLLATE "C" NOT NULL,
    customer        text COLLATE "C",
    -- 0 pending, 1 ordered, 2 rejected by a rule, 3 rejected as unavailable, 4 cancelling, 5 canceled, 6 shipped
    state           smallint NOT NULL CHECK (state BETWEEN 0 AND 6),
    reason          text COLLATE "C" CHECK ((reason IS NULL) = (state <> 2)),
    ordered_said    boolean NOT NULL,
    deferred_said   boolean NOT NULL,
    idempotency_key text COLLATE "C",
    version         bigint NOT NULL,
    placed_at       bigint NOT NULL, -- milliseconds since 1970 UTC
    changed_at      bigint NOT NULL
    -- Room beside a row for its next version: an order changes once or twice soon after it was placed.
) WITH (fillfactor = 70);

-- Few at any time: what the resume worker looks through.
CREATE INDEX pending ON orders (id) WHERE state = 0;

CREATE UNIQUE INDEX idempotency_keys ON orders (idempotency_key) WHERE idempotency_key IS NOT NULL;
