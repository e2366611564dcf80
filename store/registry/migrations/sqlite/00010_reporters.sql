-- Which report of what it has shown each serving process had recorded last, in Unix nanoseconds.

-- +goose Up
CREATE TABLE reporters (
    process TEXT PRIMARY KEY,
    number  INTEGER NOT NULL,
    at      INTEGER NOT NULL
);

-- +goose Down
DROP TABLE reporters;
