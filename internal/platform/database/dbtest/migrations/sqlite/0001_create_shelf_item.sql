-- +goose Up
CREATE TABLE shelf (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    name  TEXT NOT NULL UNIQUE,
    space INTEGER NOT NULL CHECK (space >= 0)
) STRICT;

CREATE TABLE item (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    shelf_id INTEGER NOT NULL REFERENCES shelf (id),
    title    TEXT NOT NULL,
    title_key TEXT NOT NULL,
    added_at TEXT NOT NULL
) STRICT;
