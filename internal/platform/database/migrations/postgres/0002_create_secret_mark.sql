-- +goose Up

-- Tells one secret from another: processes that share a database need the same.
CREATE TABLE secret_mark (
    id   bigint NOT NULL PRIMARY KEY,
    mark bytea NOT NULL
);
