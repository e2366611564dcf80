-- Which report of what it has shown each serving process had recorded last, in Unix nanoseconds.

-- +goose Up
CREATE TABLE reporters (
    process TEXT PRIMARY KEY,
    number  BIGINT NOT NULL,
    at      BIGINT NOT NULL
);

-- +goose Down
DROP TABLE reporters;
