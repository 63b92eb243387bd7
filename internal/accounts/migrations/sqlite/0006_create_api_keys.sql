-- +goose Up
CREATE TABLE api_keys (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    user_id    INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    scopes     TEXT    NOT NULL, -- with spaces between them, sorted
    key_hash   BLOB    NOT NULL UNIQUE, -- keyed SHA-256: the key itself is shown once, and kept nowhere
    hint       TEXT    NOT NULL, -- its last four characters
    created_by INTEGER NOT NULL, -- an account that may be gone
    created_at TEXT    NOT NULL,
    expires_at TEXT    NOT NULL,
    used_at    TEXT -- to the hour; NULL: never
) STRICT;

CREATE INDEX api_keys_user_id ON api_keys (user_id, id);
