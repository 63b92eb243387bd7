-- +goose Up

-- What staff has changed here, written with the change. Nothing is changed or taken away.
CREATE TABLE staff_log (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         TEXT NOT NULL,
    account_id INTEGER, -- who; null for a command of whoever runs the deployment
    operation  TEXT NOT NULL,
    call       TEXT NOT NULL, -- method and path
    address    TEXT NOT NULL, -- where it came from
    note       TEXT NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER staff_log_no_update BEFORE UPDATE ON staff_log
BEGIN
    SELECT RAISE(ABORT, 'staff_log is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER staff_log_no_delete BEFORE DELETE ON staff_log
BEGIN
    SELECT RAISE(ABORT, 'staff_log is append-only');
END;
-- +goose StatementEnd

-- REPLACE would delete without asking the trigger above.
-- +goose StatementBegin
CREATE TRIGGER staff_log_no_replace BEFORE INSERT ON staff_log
WHEN EXISTS (SELECT 1 FROM staff_log WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'staff_log is append-only');
END;
-- +goose StatementEnd
