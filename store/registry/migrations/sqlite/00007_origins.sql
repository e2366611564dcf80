-- Where in the log the reasons of verdicts begin, worked out after the decision: verdicts
-- do not change, and the log is not kept as long as they are.

-- +goose Up
CREATE TABLE origins (
    verdict TEXT PRIMARY KEY,
    packed  BLOB NOT NULL
);

-- +goose Down
DROP TABLE origins;
