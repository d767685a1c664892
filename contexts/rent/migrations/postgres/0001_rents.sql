CREATE TABLE rents (
    id         bigint PRIMARY KEY,
    order_id   bigint NOT NULL UNIQUE,
    customer   text COLLATE "C",
    -- 0 rented, 1 with the courier; cancelled: 2 refused, 3 tombstone, 4 copy bound, 5 copy free
    state      smallint NOT NULL CHECK (state BETWEEN 0 AND 5),
    reason     text COLLATE "C" CHECK ((reason IS NULL) = (state <> 2)),
    version    bigint NOT NULL,
    created_at bigint NOT NULL, -- milliseconds since 1970 UTC
    changed_at bigint NOT NULL
);
