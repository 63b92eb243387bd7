-- +goose Up
-- At most one for an account. Using it takes its row away.
CREATE TABLE password_resets (
    user_id    bigint NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    token_hash bytea NOT NULL UNIQUE, -- keyed SHA-256: the token itself is sent, and kept nowhere
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
