-- Which process of several works as an owner, and until when.

-- +goose Up
CREATE TABLE leases (
    owner   TEXT PRIMARY KEY,
    holder  TEXT NOT NULL,
    ends_at BIGINT NOT NULL -- Unix milliseconds, by the database's clock
);

-- +goose Down
DROP TABLE leases;
