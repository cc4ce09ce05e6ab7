-- An application that has learned to speak: beside its orders it writes down what happens to them.
CREATE TABLE orders (
    id     bigint        PRIMARY KEY,
    total  numeric(12,2) NOT NULL,
    state  text          NOT NULL DEFAULT 'new'
);

CREATE TABLE outbox (
    id            uuid        PRIMARY KEY,
    aggregatetype text        NOT NULL,
    aggregateid   text        NOT NULL,
    type          text        NOT NULL,
    payload       jsonb,
    created_at    timestamptz NOT NULL DEFAULT now(),
    traceparent   text
);
