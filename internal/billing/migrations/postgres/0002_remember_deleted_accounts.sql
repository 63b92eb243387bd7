-- +goose Up

-- Accounts that were deleted: an order of theirs that still waited in the queue
-- becomes anonymous, too.
CREATE TABLE deleted_accounts (
    user_id    text PRIMARY KEY, -- as orders have it
    deleted_at text NOT NULL
);

-- How many those are, in one row. It is what a batch of orders and the end of an
-- account meet at: whichever comes second sees the other.
CREATE TABLE deletions (
    id    bigint PRIMARY KEY CHECK (id = 1),
    total bigint NOT NULL
);
INSERT INTO deletions (id, total) VALUES (1, 0);
