-- What people are to be told of commits and were not told yet, in Unix nanoseconds. Rows
-- leave once they were.

-- +goose Up
CREATE TABLE notices (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    id   TEXT NOT NULL UNIQUE,
    at   INTEGER NOT NULL,
    body BLOB NOT NULL
);

-- +goose Down
DROP TABLE notices;
