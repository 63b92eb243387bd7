-- +goose Up

-- What Once keeps for 24 hours: a request's key, a keyed hash of its body, its answer.
CREATE TABLE idempotency (
    operation  TEXT NOT NULL,
    caller     TEXT NOT NULL,
    key        TEXT NOT NULL,
    body_hash  BLOB NOT NULL,
    result     BLOB NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (operation, caller, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_created_at ON idempotency (created_at);

-- Events written with the change they tell of, until the queue has them.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    payload    TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

-- Messages already acted upon, so that one that comes again does nothing.
CREATE TABLE inbox (
    message_id  TEXT NOT NULL PRIMARY KEY,
    received_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX inbox_received_at ON inbox (received_at);
