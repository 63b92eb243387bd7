-- +goose Up
CREATE TABLE orders (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id         TEXT    NOT NULL,
    number_of_items INTEGER NOT NULL,
    total_amount    TEXT    NOT NULL -- a decimal with two digits after the point; never compared here
) STRICT;
CREATE INDEX orders_by_user ON orders (user_id, id);

-- Which messages have become orders: one that comes again is stored once.
CREATE TABLE order_messages (
    message_id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
