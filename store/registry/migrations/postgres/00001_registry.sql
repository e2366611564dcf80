-- Times are Unix nanoseconds; the smallest integer is the zero time. A column
-- named body holds the JSON of a noun whose other columns are there to find it.
-- The tables are those of SQLite, and one more. What is compressed already is
-- stored as it is.

-- +goose Up
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE definitions (
    generation BIGINT PRIMARY KEY,
    body       BYTEA NOT NULL
);

-- Ids of views and features are never used again for another name or type, so
-- rows of these two tables are never deleted.
CREATE TABLE views (
    view_id BIGINT PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE
);

CREATE TABLE features (
    view_id    BIGINT NOT NULL,
    feature_id BIGINT NOT NULL,
    name       TEXT NOT NULL,
    type       TEXT NOT NULL,
    PRIMARY KEY (view_id, feature_id),
    UNIQUE (view_id, name, type)
);

CREATE TABLE vectors (
    view_id    BIGINT PRIMARY KEY,
    generation BIGINT NOT NULL,
    body       BYTEA NOT NULL
);

CREATE TABLE versions (
    view_id      BIGINT NOT NULL,
    version      BIGINT NOT NULL,
    kind         TEXT NOT NULL,
    window_start BIGINT NOT NULL,
    step         TEXT NOT NULL,
    state        TEXT NOT NULL,
    body         BYTEA NOT NULL,
    PRIMARY KEY (view_id, version)
);

CREATE UNIQUE INDEX versions_window ON versions (view_id, window_start) WHERE kind = 'window';

-- The versions that a floor may not make visible.
CREATE INDEX versions_hidden ON versions (view_id, version) WHERE state <> 'visible' AND step <> 'swept';

CREATE TABLE verdicts (
    seq          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    view_id      BIGINT NOT NULL,
    kind         TEXT NOT NULL,
    version      BIGINT NOT NULL,
    window_start BIGINT NOT NULL,
    window_end   BIGINT NOT NULL,
    state        TEXT NOT NULL,
    decision     TEXT NOT NULL,
    at           BIGINT NOT NULL,
    body         BYTEA NOT NULL,
    evidence     BYTEA NOT NULL
);

CREATE INDEX verdicts_view ON verdicts (view_id, seq);

-- No window is judged twice.
CREATE UNIQUE INDEX verdicts_window ON verdicts (view_id, version) WHERE kind = 'window';

CREATE TABLE blobs (
    digest TEXT PRIMARY KEY,
    packed BYTEA NOT NULL
);

CREATE TABLE audit (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    body    BYTEA NOT NULL
);

CREATE TABLE alerts (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    view        TEXT NOT NULL,
    resolved_at BIGINT,
    body        BYTEA NOT NULL
);

CREATE INDEX alerts_open ON alerts (view, seq) WHERE resolved_at IS NULL;

CREATE TABLE history (
    view_id      BIGINT NOT NULL,
    window_start BIGINT NOT NULL,
    window_end   BIGINT NOT NULL,
    version      BIGINT NOT NULL,
    layout       TEXT NOT NULL,
    normal       BIGINT NOT NULL,
    profile      BYTEA,
    summary      BYTEA,
    PRIMARY KEY (view_id, window_start)
);

CREATE TABLE layouts (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    view_id BIGINT NOT NULL,
    starts  BIGINT NOT NULL,
    digest  TEXT NOT NULL,
    packed  BYTEA NOT NULL,
    UNIQUE (view_id, starts, digest)
);

CREATE TABLE baselines (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    view_id BIGINT NOT NULL,
    body    BYTEA NOT NULL
);

CREATE INDEX baselines_view ON baselines (view_id, seq);

CREATE TABLE memories (
    view_id BIGINT PRIMARY KEY,
    packed  BYTEA NOT NULL
);

CREATE TABLE owners (
    owner TEXT PRIMARY KEY,
    epoch BIGINT NOT NULL
);

CREATE TABLE idleness (
    view_id   BIGINT NOT NULL,
    partition TEXT NOT NULL,
    departed  BIGINT NOT NULL,
    PRIMARY KEY (view_id, partition)
);

-- The writes of the last hour, by a token of their own: whoever lost its connection
-- during a commit finds out here what became of it.
CREATE TABLE commits (
    token BYTEA PRIMARY KEY,
    at    TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX commits_at ON commits (at);

-- What retention looks for: windows that still have their profile, by their end.
CREATE INDEX history_profiles ON history (view_id, window_end) WHERE profile IS NOT NULL;

ALTER TABLE verdicts ALTER COLUMN body SET STORAGE EXTERNAL, ALTER COLUMN evidence SET STORAGE EXTERNAL;
ALTER TABLE blobs ALTER COLUMN packed SET STORAGE EXTERNAL;
ALTER TABLE history ALTER COLUMN profile SET STORAGE EXTERNAL, ALTER COLUMN summary SET STORAGE EXTERNAL;
ALTER TABLE layouts ALTER COLUMN packed SET STORAGE EXTERNAL;
ALTER TABLE memories ALTER COLUMN packed SET STORAGE EXTERNAL;

-- +goose Down
DROP TABLE commits;
DROP TABLE idleness;
DROP TABLE owners;
DROP TABLE memories;
DROP TABLE baselines;
DROP TABLE layouts;
DROP TABLE history;
DROP TABLE alerts;
DROP TABLE audit;
DROP TABLE blobs;
DROP TABLE verdicts;
DROP TABLE versions;
DROP TABLE vectors;
DROP TABLE features;
DROP TABLE views;
DROP TABLE definitions;
DROP TABLE settings;
