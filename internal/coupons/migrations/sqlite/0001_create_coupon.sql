-- +goose Up
CREATE TABLE coupons (
    id           INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    category     TEXT,
    couponcode   TEXT,
    description  TEXT,
    merchant     TEXT,
    title        TEXT,
    has_store    INTEGER NOT NULL CHECK (has_store IN (0, 1)), -- a store of which nothing is known is one
    lat          REAL, -- degrees, six decimals
    long         REAL,
    city         TEXT,
    phone        TEXT,
    state        TEXT,
    street       TEXT,
    zip          TEXT,
    expire_at    TEXT    NOT NULL,
    published_at TEXT    NOT NULL,
    valid        INTEGER NOT NULL CHECK (valid IN (0, 1)), -- expire_at >= published_at: what ?status= asks for
    shown        TEXT    NOT NULL, -- the coupon as it is shown, but for its id: what GET reads
    version      INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX coupons_valid_id ON coupons (valid, id);
