-- +goose Up
CREATE TABLE customers (
    number   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the order in which they came
    username text   NOT NULL UNIQUE,
    email    text   NOT NULL
);

CREATE TABLE products (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the order in which they came
    id     bigint NOT NULL UNIQUE,
    face   text   NOT NULL,
    size   bigint NOT NULL,
    price  bigint NOT NULL -- in cents
);

CREATE TABLE purchases (
    id         bigint      PRIMARY KEY,
    product_id bigint      NOT NULL REFERENCES products (id),
    username   text        NOT NULL REFERENCES customers (username),
    date       timestamptz NOT NULL
);

-- A user's latest purchases and a product's: read backwards, and from the index alone.
CREATE INDEX purchases_by_user ON purchases (username, date, id, product_id);
CREATE INDEX purchases_by_product ON purchases (product_id, date, id, username);

-- Ids may be chosen by the caller, so they are counted here: the largest that was ever given.
CREATE TABLE counters (
    noun text   PRIMARY KEY,
    last bigint NOT NULL
);
INSERT INTO counters (noun, last) VALUES ('product', 0), ('purchase', 0);
