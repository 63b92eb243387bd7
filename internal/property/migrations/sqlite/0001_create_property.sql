-- +goose Up

-- Every id that a type ever had. Ids may be chosen, so a counter would not tell
-- which were used.
CREATE TABLE used_type_ids (
    id INTEGER NOT NULL PRIMARY KEY
) STRICT;

CREATE TABLE property_types (
    id          INTEGER NOT NULL PRIMARY KEY REFERENCES used_type_ids (id),
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    version     INTEGER NOT NULL DEFAULT 1
) STRICT;

-- Who owns or has owned something. The row is what a new property and the end of
-- its owner's account meet at: whichever comes second sees the other.
CREATE TABLE owners (
    user_id    INTEGER NOT NULL PRIMARY KEY,
    deleted_at TEXT    -- when the account was deleted
) STRICT;

CREATE TABLE properties (
    id          INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    city        TEXT    NOT NULL,
    city_key    TEXT    NOT NULL, -- city, folded: what ?city= compares
    type_id     INTEGER NOT NULL REFERENCES property_types (id),
    user_id     INTEGER NOT NULL REFERENCES owners (user_id),
    version     INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE INDEX properties_city_key ON properties (city_key, id);
CREATE INDEX properties_type_id ON properties (type_id);
CREATE INDEX properties_user_id ON properties (user_id);

CREATE TABLE rooms (
    id              INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    property_id     INTEGER NOT NULL REFERENCES properties (id) ON DELETE CASCADE,
    name            TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    characteristics TEXT    NOT NULL, -- a JSON object; {} when none was set
    version         INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE INDEX rooms_property_id ON rooms (property_id, id);
