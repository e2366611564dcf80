-- What the rules read when a verdict was made, for other rules to be tried on. It is
-- kept for as long as summaries are; verdicts stay for ever.

-- +goose Up
CREATE TABLE records (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    view_id      INTEGER NOT NULL,
    verdict      TEXT NOT NULL,
    kind         TEXT NOT NULL,
    version      INTEGER NOT NULL,
    window_start INTEGER NOT NULL,
    window_end   INTEGER NOT NULL,
    state        TEXT NOT NULL,
    decision     TEXT NOT NULL,
    packed       BLOB NOT NULL
);

CREATE INDEX records_view ON records (view_id, window_end);

-- +goose Down
DROP TABLE records;
