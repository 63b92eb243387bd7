-- +goose Up
CREATE TABLE bidders (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    name       TEXT    NOT NULL,
    account_id INTEGER UNIQUE, -- whose bidder it is; null for nobody's
    version    INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE TABLE items (
    id             INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    name           TEXT    NOT NULL,
    winning_bid_id INTEGER, -- the first of its bids in the order of bids_rank; set in the transaction that changes a bid
    last_seq       INTEGER NOT NULL DEFAULT 0, -- of its bids
    version        INTEGER NOT NULL DEFAULT 1  -- changes with the name and with every bid
) STRICT;

CREATE TABLE bids (
    id          INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    item_id     INTEGER NOT NULL REFERENCES items (id),
    bidder_id   INTEGER NOT NULL REFERENCES bidders (id),
    value_cents INTEGER NOT NULL CHECK (value_cents > 0),
    seq         INTEGER NOT NULL, -- which of two equal bids on an item came first; renewed when the value changes
    placed_at   TEXT    NOT NULL, -- when it was placed or its value was changed last
    version     INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE INDEX bids_rank ON bids (item_id, value_cents DESC, seq, id); -- the winner is the first
CREATE INDEX bids_of_bidder ON bids (bidder_id, id);
