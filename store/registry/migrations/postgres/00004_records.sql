-- What the rules read when a verdict was made, for other rules to be tried on. It is
-- kept for as long as summaries are; verdicts stay for ever.

-- +goose Up
CREATE TABLE records (
    seq          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    view_id      BIGINT NOT NULL,
    verdict      TEXT NOT NULL,
    kind         TEXT NOT NULL,
    version      BIGINT NOT NULL,
    window_start BIGINT NOT NULL,
    window_end   BIGINT NOT NULL,
    state        TEXT NOT NULL,
    decision     TEXT NOT NULL,
    packed       BYTEA NOT NULL
);

CREATE INDEX records_view ON records (view_id, window_end);

ALTER TABLE records ALTER COLUMN packed SET STORAGE EXTERNAL;

-- +goose Down
DROP TABLE records;
