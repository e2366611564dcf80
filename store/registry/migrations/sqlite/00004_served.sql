-- What readers saw: how often each version, and what rows, by window of the clock.

-- +goose Up
CREATE TABLE exposures (
    view_id    INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    reads      INTEGER NOT NULL,
    first_read INTEGER NOT NULL, -- the greatest integer is the zero time
    last_read  INTEGER NOT NULL,
    PRIMARY KEY (view_id, version)
);

CREATE TABLE served (
    view_id      INTEGER NOT NULL,
    window_start INTEGER NOT NULL,
    process      TEXT NOT NULL,
    window_end   INTEGER NOT NULL,
    body         BLOB NOT NULL,
    profile      BLOB NOT NULL,
    settled      BLOB NOT NULL,
    PRIMARY KEY (view_id, window_start, process)
);

-- +goose Down
DROP TABLE served;
DROP TABLE exposures;
