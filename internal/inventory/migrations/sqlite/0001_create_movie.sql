-- +goose Up
CREATE TABLE movies (
    id          INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    title       TEXT    NOT NULL,
    description TEXT,
    title_key   TEXT    NOT NULL, -- title, folded: what ?title= searches
    version     INTEGER NOT NULL DEFAULT 1
) STRICT;
