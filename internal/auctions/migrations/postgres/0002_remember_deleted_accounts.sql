-- +goose Up

-- Accounts that have or had a bidder, and those that were deleted. The row is what
-- a new bidder and the end of its account meet at: whichever comes second sees
-- the other.
CREATE TABLE bidder_accounts (
    account_id bigint PRIMARY KEY,
    deleted_at text   -- when the account was deleted
);
