-- +goose Up
ALTER TABLE sessions ADD COLUMN created_at timestamptz; -- NULL: before it was kept
