package redis

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
)

// Correct puts records of a version as they are, whatever the version has of their keys,
// and removes those that it has of other keys. A key of which it has nothing is left
// alone: Stage writes that. Of keys of which a record is put, what is damaged is removed.
// It may be repeated. The versions that the records name are not looked at.
//
// Nothing else may stage into the version meanwhile: what is newer is not kept.
func (s *Store) Correct(ctx context.Context, view feature.ViewID, version feature.Version, put []Row, gone []feature.Key) error {
	leave, err := s.enter(ctx)
	if err == nil && (version == 0 || version > MaxVersion) {
		leave()
		err = ErrVersion
	}
	if err == nil {
		defer leave()
		err = s.correct(ctx, view, version, put, gone)
	}
	if err != nil {
		return fmt.Errorf("correct %d rows of view %d version %d: %w", len(put)+len(gone), view, version, err)
	}
	return nil
}

func (s *Store) correct(ctx context.Context, view feature.ViewID, version feature.Version, put []Row, gone []feature.Key) error {
	of := s.placeOf(view)
	field := of.field(version)
	reads, writes := newCommands(s), newCommands(s)
	stored := make([]*goredis.MapStringStringCmd, len(put))
	for i := range put {
		stored[i] = goredis.NewMapStringStringCmd(ctx, "hgetall", s.rowKey(of, put[i].Key))
		reads.add(ctx, put[i].Key, stored[i])
	}
	if err := reads.run(ctx); err != nil {
		return err
	}
	for i := range put {
		fields, err := stored[i].Result()
		if err != nil {
			return explain(err)
		}
		s.correctRow(ctx, writes, of, field, &put[i], fields)
	}
	for _, key := range gone {
		writes.add(ctx, key, goredis.NewIntCmd(ctx, "hdel", s.rowKey(of, key), field))
	}
	return writes.run(ctx)
}

// correctRow adds the commands for a key whose hash has those fields.
func (s *Store) correctRow(ctx context.Context, to *commands, of place, field string, row *Row, fields map[string]string) {
	key := s.rowKey(of, row.Key)
	if _, has := fields[field]; has {
		to.add(ctx, row.Key, goredis.NewIntCmd(ctx, "hset", key, field, feature.AppendRecord(nil, row.Record)))
		// Between the look and the write the key may have expired; then it is a new one.
		if ms := s.expiryMillis(of.view); ms > 0 && of.group == "" {
			to.add(ctx, row.Key, goredis.NewIntCmd(ctx, "pexpire", key, ms, "nx"))
		}
	}
	for other, value := range fields {
		if other != field && of.damaged(other, value) {
			to.add(ctx, row.Key, goredis.NewIntCmd(ctx, "hdel", key, other))
		}
	}
}

// damaged reports whether a field of a row's hash is none that a release wrote. What is
// another view's, or may be, is not looked at.
func (p place) damaged(field, value string) bool {
	rest := []byte(field)
	if p.group != "" {
		view, after, err := cutView(rest)
		if err != nil || view != p.view {
			return false
		}
		rest = after
	}
	_, err := decodeRecord(rest, []byte(value))
	return err != nil
}

func (s *Store) rowKey(of place, key feature.Key) string {
	return s.layout.row(bucketOf(key), of, string(key))
}

// commands are commands by the shard that they are for.
type commands struct {
	store *Store
	of    map[*shard][]goredis.Cmder
	errs  []error
}

func newCommands(s *Store) *commands { return &commands{store: s, of: map[*shard][]goredis.Cmder{}} }

// add adds a command for the shard of a key.
func (c *commands) add(ctx context.Context, key feature.Key, cmd goredis.Cmder) {
	at, err := c.store.places.of(ctx, bucketOf(key))
	if err != nil {
		c.errs = append(c.errs, err)
		return
	}
	c.of[at] = append(c.of[at], cmd)
}

// run runs the commands of each shard, a batch at a time.
func (c *commands) run(ctx context.Context) error {
	errs := c.errs
	for at, cmds := range c.of {
		for len(cmds) > 0 {
			batch := cmds[:min(callRows, len(cmds))]
			cmds = cmds[len(batch):]
			c.store.exec(ctx, at, batch)
			for _, cmd := range batch {
				if err := cmd.Err(); err != nil {
					errs = append(errs, shardError(at, err))
				}
			}
		}
	}
	return errors.Join(errs...)
}
