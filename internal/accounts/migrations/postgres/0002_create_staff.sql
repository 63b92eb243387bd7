-- +goose Up
ALTER TABLE accounts ADD COLUMN role text NOT NULL DEFAULT '' CHECK (role IN ('', 'staff'));

CREATE INDEX accounts_role ON accounts (role) WHERE role <> '';

-- Links by which the first staff member makes an account. They end when there is one.
CREATE TABLE staff_links (
    token_hash bytea NOT NULL PRIMARY KEY, -- SHA-256: the token itself is printed, and kept nowhere
    expires_at timestamptz NOT NULL
);
