-- +goose Up

-- Tells one secret from another: processes that share a database need the same.
CREATE TABLE secret_mark (
    id   INTEGER NOT NULL PRIMARY KEY,
    mark BLOB NOT NULL
) STRICT;
