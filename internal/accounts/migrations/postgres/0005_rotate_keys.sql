-- +goose Up
-- When a key begins to sign, and the longest life of a token that it may have signed.
ALTER TABLE signing_keys ADD COLUMN signs_at timestamptz NOT NULL DEFAULT '2000-01-01T00:00:00.000Z';
ALTER TABLE signing_keys ADD COLUMN token_seconds bigint NOT NULL DEFAULT 86400;
