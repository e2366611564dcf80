-- What retention looks for: windows that still have their profile, by their end.

-- +goose Up
CREATE INDEX history_profiles ON history (view_id, window_end) WHERE profile IS NOT NULL;

-- +goose Down
DROP INDEX history_profiles;
