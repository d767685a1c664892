-- What is committed and not published yet. A row lives for milliseconds, so dead ones are cleared away by their
-- number and never by their share.
CREATE TABLE outbox (
    place   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key     bytea NOT NULL,
    headers bytea NOT NULL,
    value   bytea NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000
);

-- Kept totals. A total is the sum over its slots, and each writing process has a slot of its own: they never meet
-- in one row. Half of each page is left free, so that a new version of a row finds room beside the old one.
CREATE TABLE totals (
    name text   NOT NULL,
    slot int    NOT NULL,
    n    bigint NOT NULL,
    PRIMARY KEY (name, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- The names of rows.
CREATE SEQUENCE ids AS bigint;
