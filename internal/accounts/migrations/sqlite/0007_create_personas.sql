-- +goose Up
-- Who people are at providers by whom they sign in. The mail there is no key: it may pass to others.
CREATE TABLE personas (
    issuer    TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    user_id   INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    linked_at TEXT    NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT;

CREATE INDEX personas_user_id ON personas (user_id);

-- Ways to a provider that nobody came back from yet. Coming back takes the row away.
CREATE TABLE journeys (
    state_hash   BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of 32 random bytes
    browser_hash BLOB    NOT NULL, -- likewise, of what the browser keeps in a cookie
    provider     TEXT    NOT NULL,
    return_to    TEXT    NOT NULL,
    user_id      INTEGER NOT NULL, -- whose account it is to be linked to; 0 for signing in
    expires_at   TEXT    NOT NULL
) STRICT;

CREATE INDEX journeys_expires_at ON journeys (expires_at);

-- Who came from a provider and has no account that is linked, until there is one.
CREATE TABLE arrivals (
    browser_hash  BLOB NOT NULL PRIMARY KEY,
    provider      TEXT NOT NULL,
    issuer        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    mail          TEXT NOT NULL,
    verified_mail TEXT NOT NULL, -- '' when the provider did not verify it
    first_name    TEXT NOT NULL,
    last_name     TEXT NOT NULL,
    return_to     TEXT NOT NULL,
    expires_at    TEXT NOT NULL
) STRICT;

CREATE INDEX arrivals_expires_at ON arrivals (expires_at);
