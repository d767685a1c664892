-- How many partitions every topic has, in at most one row. None in a log that was made before the number was kept,
-- or is just being made.
CREATE TABLE partitions (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    n   INTEGER NOT NULL
) STRICT;
