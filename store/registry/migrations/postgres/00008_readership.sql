-- Who reads what: rows given to readers, by hour of the clock, serving process, feature and service.

-- +goose Up
CREATE TABLE readership (
    view_id      BIGINT NOT NULL,
    window_start BIGINT NOT NULL,
    process      TEXT NOT NULL,
    window_end   BIGINT NOT NULL,
    body         BYTEA NOT NULL,
    PRIMARY KEY (view_id, window_start, process)
);

-- +goose Down
DROP TABLE readership;
