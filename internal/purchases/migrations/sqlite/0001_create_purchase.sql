-- +goose Up
CREATE TABLE customers (
    number   INTEGER PRIMARY KEY AUTOINCREMENT, -- the order in which they came
    username TEXT    NOT NULL UNIQUE,
    email    TEXT    NOT NULL
) STRICT;

CREATE TABLE products (
    number INTEGER PRIMARY KEY AUTOINCREMENT, -- the order in which they came
    id     INTEGER NOT NULL UNIQUE,
    face   TEXT    NOT NULL,
    size   INTEGER NOT NULL,
    price  INTEGER NOT NULL -- in cents
) STRICT;

CREATE TABLE purchases (
    id         INTEGER PRIMARY KEY,
    product_id INTEGER NOT NULL REFERENCES products (id),
    username   TEXT    NOT NULL REFERENCES customers (username),
    date       TEXT    NOT NULL
) STRICT;

-- A user's latest purchases and a product's: read backwards, and from the index alone.
CREATE INDEX purchases_by_user ON purchases (username, date, id, product_id);
CREATE INDEX purchases_by_product ON purchases (product_id, date, id, username);

-- Ids may be chosen by the caller, so they are counted here: the largest that was ever given.
CREATE TABLE counters (
    noun TEXT    PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT;
INSERT INTO counters (noun, last) VALUES ('product', 0), ('purchase', 0);
