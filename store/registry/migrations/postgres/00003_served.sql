-- What readers saw: how often each version, and what rows, by window of the clock.

-- +goose Up
CREATE TABLE exposures (
    view_id    BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    reads      BIGINT NOT NULL,
    first_read BIGINT NOT NULL, -- the greatest integer is the zero time
    last_read  BIGINT NOT NULL,
    PRIMARY KEY (view_id, version)
);

CREATE TABLE served (
    view_id      BIGINT NOT NULL,
    window_start BIGINT NOT NULL,
    process      TEXT NOT NULL,
    window_end   BIGINT NOT NULL,
    body         BYTEA NOT NULL,
    profile      BYTEA NOT NULL,
    settled      BYTEA NOT NULL,
    PRIMARY KEY (view_id, window_start, process)
);

ALTER TABLE served ALTER COLUMN profile SET STORAGE EXTERNAL, ALTER COLUMN settled SET STORAGE EXTERNAL;

-- +goose Down
DROP TABLE served;
DROP TABLE exposures;
