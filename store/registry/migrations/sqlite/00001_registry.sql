-- Times are Unix nanoseconds; the smallest integer is the zero time. A column
-- named body holds the JSON of a noun whose other columns are there to find it.

-- +goose Up
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
);

CREATE TABLE definitions (
    generation INTEGER PRIMARY KEY,
    body       BLOB NOT NULL
);

-- Ids of views and features are never used again for another name or type, so
-- rows of these two tables are never deleted.
CREATE TABLE views (
    view_id INTEGER PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE
);

CREATE TABLE features (
    view_id    INTEGER NOT NULL,
    feature_id INTEGER NOT NULL,
    name       TEXT NOT NULL,
    type       TEXT NOT NULL,
    PRIMARY KEY (view_id, feature_id),
    UNIQUE (view_id, name, type)
);

CREATE TABLE vectors (
    view_id    INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,
    body       BLOB NOT NULL
);

CREATE TABLE versions (
    view_id      INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    window_start INTEGER NOT NULL,
    step         TEXT NOT NULL,
    state        TEXT NOT NULL,
    body         BLOB NOT NULL,
    PRIMARY KEY (view_id, version)
);

CREATE UNIQUE INDEX versions_window ON versions (view_id, window_start) WHERE kind = 'window';

-- The versions that a floor may not make visible.
CREATE INDEX versions_hidden ON versions (view_id, version) WHERE state <> 'visible' AND step <> 'swept';

CREATE TABLE verdicts (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    view_id      INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    version      INTEGER NOT NULL,
    window_start INTEGER NOT NULL,
    window_end   INTEGER NOT NULL,
    state        TEXT NOT NULL,
    decision     TEXT NOT NULL,
    at           INTEGER NOT NULL,
    body         BLOB NOT NULL,
    evidence     BLOB NOT NULL
);

CREATE INDEX verdicts_view ON verdicts (view_id, seq);

-- No window is judged twice.
CREATE UNIQUE INDEX verdicts_window ON verdicts (view_id, version) WHERE kind = 'window';

CREATE TABLE blobs (
    digest TEXT PRIMARY KEY,
    packed BLOB NOT NULL
);

CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT NOT NULL UNIQUE,
    body    BLOB NOT NULL
);

CREATE TABLE alerts (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    view        TEXT NOT NULL,
    resolved_at INTEGER,
    body        BLOB NOT NULL
);

CREATE INDEX alerts_open ON alerts (view, seq) WHERE resolved_at IS NULL;

CREATE TABLE history (
    view_id      INTEGER NOT NULL,
    window_start INTEGER NOT NULL,
    window_end   INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    layout       TEXT NOT NULL,
    normal       INTEGER NOT NULL,
    profile      BLOB,
    summary      BLOB,
    PRIMARY KEY (view_id, window_start)
);

CREATE TABLE layouts (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    view_id INTEGER NOT NULL,
    starts  INTEGER NOT NULL,
    digest  TEXT NOT NULL,
    packed  BLOB NOT NULL,
    UNIQUE (view_id, starts, digest)
);

CREATE TABLE baselines (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    view_id INTEGER NOT NULL,
    body    BLOB NOT NULL
);

CREATE INDEX baselines_view ON baselines (view_id, seq);

CREATE TABLE memories (
    view_id INTEGER PRIMARY KEY,
    packed  BLOB NOT NULL
);

CREATE TABLE owners (
    owner TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL
);

CREATE TABLE idleness (
    view_id   INTEGER NOT NULL,
    partition TEXT NOT NULL,
    departed  INTEGER NOT NULL,
    PRIMARY KEY (view_id, partition)
);

-- +goose Down
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
