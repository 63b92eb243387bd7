-- +goose Up
-- Tokens name the generation of their account: raising it ends all that came before.
ALTER TABLE accounts ADD COLUMN token_generation bigint NOT NULL DEFAULT 0;

-- Who asked for tokens that can be renewed. A session ends with its row.
CREATE TABLE sessions (
    id               text NOT NULL PRIMARY KEY, -- 16 random bytes in base64url: the claim sid
    user_id          bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    token_generation bigint NOT NULL, -- of the account, when it signed in
    rotation         bigint NOT NULL DEFAULT 0, -- how often the refresh token was renewed
    token_hash       bytea NOT NULL, -- keyed SHA-256 of the refresh token that is good now
    rotated_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL
);

CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- What ended before its time, until it would have ended by itself.
CREATE TABLE revocations (
    id               bigint NOT NULL PRIMARY KEY, -- counted by revocation_clock, in the order of commits
    user_id          bigint NOT NULL, -- of an account that may be gone
    token_id         text NOT NULL, -- the claim sid or jti; '' is every token of an older generation
    token_generation bigint NOT NULL,
    expires_at       timestamptz NOT NULL
);

CREATE INDEX revocations_expires_at ON revocations (expires_at);

-- One row, held by whoever adds a revocation: who has read up to an id has missed none before it.
CREATE TABLE revocation_clock (
    id      bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    last_id bigint NOT NULL
);

INSERT INTO revocation_clock (id, last_id) VALUES (1, 0);
