-- +goose Up
ALTER TABLE sessions ADD COLUMN created_at TEXT; -- NULL: before it was kept
