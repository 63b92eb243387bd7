-- +goose Up

-- taken_to is how far consumers have come: what lies beyond it is ready.
CREATE TABLE queue (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT NOT NULL UNIQUE,
    taken_to INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Ids grow with the order of commits, since SQLite has one writer at a time, and
-- are never used again: taken_to relies on both.
CREATE TABLE message (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    queue_id     INTEGER NOT NULL,
    message_id   TEXT NOT NULL,
    headers      TEXT,
    body         BLOB NOT NULL,
    published_at TEXT NOT NULL
) STRICT;

CREATE INDEX message_queue ON message (queue_id);

-- A range of messages up to taken_to that a consumer holds until due, or that is
-- to be tried again from then on. Ranges of a queue never overlap. Whoever takes
-- one over gives it a new id, so the id is proof of holding it. Messages
-- themselves are written once and deleted once.
CREATE TABLE lease (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    queue_id    INTEGER NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    due         TEXT NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    first_error TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX lease_due ON lease (queue_id, due);
