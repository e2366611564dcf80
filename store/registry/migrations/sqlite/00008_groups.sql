-- The group of views that a view's rows lie in, which stays what it was when the view was
-- first applied; empty is none.

-- +goose Up
ALTER TABLE views ADD COLUMN row_group TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE views DROP COLUMN row_group;
