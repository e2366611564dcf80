-- What people are to be told of commits and were not told yet, in Unix nanoseconds. Rows
-- leave once they were.

-- +goose Up
CREATE TABLE notices (
    seq  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id   TEXT NOT NULL UNIQUE,
    at   BIGINT NOT NULL,
    body BYTEA NOT NULL
);

-- +goose Down
DROP TABLE notices;
