CREATE TABLE deliveries (
    order_id   bigint PRIMARY KEY,
    id         bigint UNIQUE,
    customer   text COLLATE "C",
    -- 0 release remembered, 1 held, 2 released, 3 handed over, 4 canceled, 5 tombstone
    state      smallint NOT NULL CHECK (state BETWEEN 0 AND 5),
    version    bigint NOT NULL,
    created_at bigint NOT NULL, -- milliseconds since 1970 UTC
    changed_at bigint NOT NULL,
    CHECK ((id IS NULL) = (state = 0))
    -- Room beside a row for its next version: a parcel is prepared and released at about the same time.
) WITH (fillfactor = 70);

-- The collection in its two fast orders. Without them a page would have to pass over everything that is not shown.
CREATE INDEX shown_by_id ON deliveries (id) WHERE state BETWEEN 1 AND 4;
CREATE INDEX shown_by_order_id ON deliveries (order_id) WHERE state BETWEEN 1 AND 4;
