-- +goose Up
-- Who people are at providers by whom they sign in. The mail there is no key: it may pass to others.
CREATE TABLE personas (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    linked_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);

CREATE INDEX personas_user_id ON personas (user_id);

-- Ways to a provider that nobody came back from yet. Coming back takes the row away.
CREATE TABLE journeys (
    state_hash bytea NOT NULL PRIMARY KEY, -- SHA-256 of 32 random bytes
    browser_hash bytea NOT NULL, -- likewise, of what the browser keeps in a cookie
    provider text NOT NULL,
    return_to text NOT NULL,
    user_id bigint NOT NULL, -- whose account it is to be linked to; 0 for signing in
    expires_at timestamptz NOT NULL
);

CREATE INDEX journeys_expires_at ON journeys (expires_at);

-- Who came from a provider and has no account that is linked, until there is one.
CREATE TABLE arrivals (
    browser_hash bytea NOT NULL PRIMARY KEY,
    provider text NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    mail text NOT NULL,
    verified_mail text NOT NULL, -- '' when the provider did not verify it
    first_name text NOT NULL,
    last_name text NOT NULL,
    return_to text NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE INDEX arrivals_expires_at ON arrivals (expires_at);
