-- The online store that a view's rows are in, which stays what it was when the view was
-- first applied; empty is the default one.

-- +goose Up
ALTER TABLE views ADD COLUMN online TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE views DROP COLUMN online;
