-- +goose Up

-- Accounts that were deleted: an order of theirs that still waited in the queue
-- becomes anonymous, too.
CREATE TABLE deleted_accounts (
    user_id    TEXT NOT NULL PRIMARY KEY, -- as orders have it
    deleted_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How many those are, in one row. It is what a batch of orders and the end of an
-- account meet at: whichever comes second sees the other.
CREATE TABLE deletions (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    total INTEGER NOT NULL
) STRICT;
INSERT INTO deletions (id, total) VALUES (1, 0);
