-- +goose Up
CREATE TABLE accounts (
    id            INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    first_name    TEXT    NOT NULL,
    last_name     TEXT    NOT NULL,
    birth_date    TEXT    NOT NULL, -- YYYY-MM-DD: a day of the calendar, not an instant
    mail          TEXT    NOT NULL, -- as it was typed
    mail_key      TEXT    NOT NULL UNIQUE, -- mail, folded: two that differ in case alone are one
    password_hash TEXT    NOT NULL, -- argon2id, as a PHC string
    version       INTEGER NOT NULL DEFAULT 1
) STRICT;

-- The Ed25519 keys that sign tokens. The newest signs; all are published.
CREATE TABLE signing_keys (
    generation INTEGER NOT NULL PRIMARY KEY, -- counts from 1, so that two first starts agree on one key
    seed       BLOB    NOT NULL, -- 32 bytes, secret
    created_at TEXT    NOT NULL
) STRICT;
