package registry

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/feature"
)

const (
	settingsQuery = `SELECT name, value FROM settings WHERE name LIKE $1`
	settingQuery  = `SELECT value FROM settings WHERE name = $1`
	upsertSetting = `INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`

	settingClock        = "clock"
	settingInstallation = "installation"
	settingFilled       = "filled." // and the name of an online store
	settingBegun        = "begun."  // and a source partition
	settingOwner        = "owner."  // and a source partition
)

// Clock returns the manual clock; the zero time before it is first set.
func (s *Registry) Clock(ctx context.Context) (time.Time, error) {
	var now time.Time
	err := s.read(ctx, func(ctx context.Context, q querier) (err error) {
		now, err = clock(ctx, q)
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("read clock: %w", err)
	}
	return now, nil
}

func clock(ctx context.Context, q querier) (time.Time, error) {
	b, err := setting(ctx, q, settingClock, 8)
	if b == nil || err != nil {
		return time.Time{}, err
	}
	return fromNanos(int64(binary.BigEndian.Uint64(b))), nil
}

// SetClock sets the manual clock and returns the one in force. It never goes back:
// ErrConflict, with the clock as it is. If it moves, the audit row why is stored with it, at
// the time that it is moved to if it has none, and shows both times.
func (s *Registry) SetClock(ctx context.Context, t time.Time, why feature.Audit) (now time.Time, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *transaction) error {
		if err := tx.lock(ctx, lock{space: spaceSettings}); err != nil {
			return err
		}
		var err error
		if now, err = clock(ctx, tx); err != nil {
			return err
		}
		if t.Before(now) || t.IsZero() {
			return fmt.Errorf("the clock is at %s: %w", now.Format(time.RFC3339Nano), feature.ErrConflict)
		}
		if t.Equal(now) {
			return nil
		}
		if why.Before, why.After, err = clockJSON(now, t); err != nil {
			return err
		}
		if now = t.UTC(); why.At.IsZero() {
			why.At = now
		}
		if _, err = tx.ExecContext(ctx, upsertSetting, settingClock, binary.BigEndian.AppendUint64(nil, uint64(nanos(t)))); err != nil {
			return err
		}
		return insertAudit(ctx, tx, why)
	})
	if err != nil {
		return now, fmt.Errorf("set clock to %s: %w", t.UTC().Format(time.RFC3339Nano), err)
	}
	return now, nil
}

// clockJSON is what an audit row shows of a clock that moves; nothing for one that was never
// set.
func clockJSON(from, to time.Time) (before, after json.RawMessage, err error) {
	if !from.IsZero() {
		if before, err = encode(map[string]time.Time{"now": from.UTC()}); err != nil {
			return nil, nil, err
		}
	}
	after, err = encode(map[string]time.Time{"now": to.UTC()})
	return before, after, err
}

// Installation returns 16 random bytes that are made once and then stay: the key
// under which profiles hash values.
func (s *Registry) Installation(ctx context.Context) (id [16]byte, err error) {
	rand.Read(id[:]) // never fails
	return s.InstallAs(ctx, id)
}

// Installed reports whether there is such a key: without one nothing ever ran on the registry.
func (s *Registry) Installed(ctx context.Context) (there bool, err error) {
	err = s.read(ctx, func(ctx context.Context, q querier) error {
		b, err := setting(ctx, q, settingInstallation, 16)
		there = b != nil
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read installation: %w", err)
	}
	return there, nil
}

// InstallAs is Installation, but a registry that has no key yet gets fresh and not random
// bytes. Who knows the key can guess values from profiles: it is for data that is public.
func (s *Registry) InstallAs(ctx context.Context, fresh [16]byte) (id [16]byte, err error) {
	var b []byte
	err = s.read(ctx, func(ctx context.Context, q querier) (err error) {
		b, err = setting(ctx, q, settingInstallation, len(id))
		return err
	})
	if err == nil && b == nil {
		b, err = s.install(ctx, fresh)
	}
	if err != nil {
		return id, fmt.Errorf("read installation: %w", err)
	}
	return [16]byte(b), nil
}

func (s *Registry) install(ctx context.Context, fresh [16]byte) (id []byte, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *transaction) error {
		if err := tx.lock(ctx, lock{space: spaceSettings}); err != nil {
			return err
		}
		if id, err = setting(ctx, tx, settingInstallation, 16); id != nil || err != nil {
			return err
		}
		id = fresh[:]
		_, err := tx.ExecContext(ctx, upsertSetting, settingInstallation, id)
		return err
	})
	return id, err
}

// Filled reports whether the servers of an online store have been marked as this
// installation's once: without the mark they have lost their rows.
func (s *Registry) Filled(ctx context.Context, store string) (filled bool, err error) {
	err = s.read(ctx, func(ctx context.Context, q querier) error {
		b, err := setting(ctx, q, settingFilled+store, 1)
		filled = b != nil
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read whether online store %s was filled: %w", store, err)
	}
	return filled, nil
}

// NoteFilled notes that they have.
func (s *Registry) NoteFilled(ctx context.Context, store string) error {
	err := s.write(ctx, func(ctx context.Context, tx *transaction) error {
		if err := tx.lock(ctx, lock{space: spaceSettings}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, upsertSetting, settingFilled+store, []byte{1})
		return err
	})
	if err != nil {
		return fmt.Errorf("note that online store %s was filled: %w", store, err)
	}
	return nil
}

// Begun returns under which id a source partition's topic was last read, and whether the
// partition ever was. The id is empty where it was not known.
func (s *Registry) Begun(ctx context.Context, topic string, partition int32) (topicID string, begun bool, err error) {
	err = s.read(ctx, func(ctx context.Context, q querier) (err error) {
		topicID, begun, err = textSetting(ctx, q, settingOfSource(topic, partition))
		return err
	})
	if err != nil {
		return "", false, fmt.Errorf("read whether %s/%d was read: %w", topic, partition, err)
	}
	return topicID, begun, nil
}

// NoteBegun notes that a source partition is read whose topic has that id. It is no change
// if that is known.
func (s *Registry) NoteBegun(ctx context.Context, topic string, partition int32, topicID string) error {
	former, begun, err := s.Begun(ctx, topic, partition)
	if err == nil && begun && former == topicID {
		return nil
	}
	if err == nil {
		err = s.write(ctx, func(ctx context.Context, tx *transaction) error {
			if err := tx.lock(ctx, lock{space: spaceSettings}); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, upsertSetting, settingOfSource(topic, partition), []byte(topicID))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("note that %s/%d is read: %w", topic, partition, err)
	}
	return nil
}

// SourceOwner returns as whose a source partition was read last; empty if nobody noted it.
func (s *Registry) SourceOwner(ctx context.Context, topic string, partition int32) (owner string, err error) {
	err = s.read(ctx, func(ctx context.Context, q querier) (err error) {
		owner, _, err = textSetting(ctx, q, settingOwner+sourceName(topic, partition))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read who owns %s/%d: %w", topic, partition, err)
	}
	return owner, nil
}

// SwapSourceOwner notes next as the owner of a source partition if last is the one that is
// noted, and reports whether next is noted then. It may be asked again after an error.
func (s *Registry) SwapSourceOwner(ctx context.Context, topic string, partition int32, last, next string) (swapped bool, err error) {
	name := settingOwner + sourceName(topic, partition)
	err = s.write(ctx, func(ctx context.Context, tx *transaction) error {
		tx.quiet = true
		if err := tx.lock(ctx, lock{space: spaceSettings}); err != nil {
			return err
		}
		now, _, err := textSetting(ctx, tx, name)
		if swapped = now == next; err != nil || swapped || now != last {
			return err
		}
		swapped = true
		_, err = tx.ExecContext(ctx, upsertSetting, name, []byte(next))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("note who owns %s/%d: %w", topic, partition, err)
	}
	return swapped, nil
}

// ReadSources calls fn with every source partition that was ever read, and the id that its
// topic had.
func (s *Registry) ReadSources(ctx context.Context, fn func(topic string, partition int32, topicID string) error) error {
	type source struct {
		name string
		id   []byte
	}
	found, err := all(ctx, s, func(row scanner) (f source, err error) { return f, row.Scan(&f.name, &f.id) }, settingsQuery, settingBegun+"%")
	if err != nil {
		return fmt.Errorf("list the partitions that were read: %w", err)
	}
	for _, f := range found {
		topic, partition, ok := strings.Cut(f.name[len(settingBegun):], "/") // names of topics have none
		n, bad := strconv.ParseInt(partition, 10, 32)
		if !ok || bad != nil {
			return fmt.Errorf("setting %q: %w", f.name, ErrCorrupt)
		}
		if err := fn(topic, int32(n), string(f.id)); err != nil {
			return err
		}
	}
	return nil
}

func settingOfSource(topic string, partition int32) string {
	return settingBegun + sourceName(topic, partition)
}

func sourceName(topic string, partition int32) string {
	return topic + "/" + strconv.Itoa(int(partition))
}

// textSetting reads a setting that is a text, and whether it was ever made.
func textSetting(ctx context.Context, q querier, name string) (text string, there bool, err error) {
	var b []byte
	err = q.QueryRowContext(ctx, settingQuery, name).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return string(b), err == nil, err
}

// setting reads a setting of size bytes; nil if it was never made.
func setting(ctx context.Context, q querier, name string, size int) (b []byte, err error) {
	err = q.QueryRowContext(ctx, settingQuery, name).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil && len(b) != size {
		return nil, fmt.Errorf("setting %s has %d bytes: %w", name, len(b), ErrCorrupt)
	}
	return b, err
}
