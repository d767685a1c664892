-- Since when a row waits to be published: what those who run the service look at first when nothing arrives.
ALTER TABLE outbox ADD COLUMN since timestamptz NOT NULL DEFAULT now();
