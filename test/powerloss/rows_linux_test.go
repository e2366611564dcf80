//go:build amd64 || arm64

package powerloss

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"sluice/feature"
	"sluice/store/embedded"
)

const (
	rowBatches = 150
	rowReopen  = 40
	rowsEach   = 16
	rowBytes   = 8 << 10 // so that the store writes its memory out, and merges files
	rowDrop    = 10      // every so many batches an old version goes
	rowsView   = feature.ViewID(1)
)

// rowsPart stages batches, each of a version of its own, and announces each once it
// was synced. After a cut every announced batch is there, and of others all or none;
// a version that was to be dropped may be in any state.
var rowsPart = part{
	name: "rows",
	work: func(ctx context.Context, w *work) error {
		s, err := openRows(w.dir, w.durable)
		if err != nil {
			return err
		}
		for i := 1; i <= rowBatches; i++ {
			if err := stage(ctx, s, w, i); err != nil {
				return errors.Join(err, s.Close())
			}
			if i%rowReopen != 0 {
				continue
			}
			if err = s.Close(); err == nil {
				s, err = openRows(w.dir, w.durable)
			}
			if err != nil {
				return err
			}
		}
		return s.Close()
	},
	check: checkRows,
}

func openRows(dir string, durable bool) (*embedded.Store, error) {
	return embedded.Open(embedded.Options{Path: filepath.Join(dir, "data", "rows"), Sync: durable})
}

func stage(ctx context.Context, s *embedded.Store, w *work, i int) error {
	if _, err := s.Stage(ctx, rowsView, feature.Version(i), batch(i)); err != nil {
		return err
	}
	if err := s.Sync(ctx); err != nil {
		return err
	}
	w.ack("batch %d", i)
	if i%rowDrop != 0 {
		return nil
	}
	w.ack("drop %d", i/2)
	_, err := s.Drop(ctx, rowsView, feature.Version(i/2))
	return err
}

// batch makes the rows of a version: the same entities as others, and other values.
func batch(i int) []feature.Row {
	rng := rand.New(rand.NewPCG(uint64(i), 2))
	rows := make([]feature.Row, rowsEach)
	for j := range rows {
		value := make([]byte, rowBytes)
		for k := range value {
			value[k] = byte(rng.Uint32())
		}
		rows[j] = feature.Row{Key: feature.Key(fmt.Sprint("entity", j)), Record: feature.Record{EventTime: int64(i), Seq: uint64(i), Row: value}}
	}
	return rows
}

func checkRows(ctx context.Context, dir string, acks, _ []string) (err error) {
	s, err := openRows(dir, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	keys := make([]feature.Key, rowsEach)
	for j := range keys {
		keys[j] = feature.Key(fmt.Sprint("entity", j))
	}
	chains, err := s.Read(ctx, rowsView, keys, nil)
	if err != nil {
		return err
	}
	for i := 1; i <= rowBatches; i++ {
		if slices.Contains(acks, fmt.Sprint("drop ", i)) {
			continue
		}
		there, err := held(chains, i)
		if err != nil {
			return err
		}
		acked := slices.Contains(acks, fmt.Sprint("batch ", i))
		if there != rowsEach && (acked || there != 0) {
			return fmt.Errorf("%w: %d of %d rows of batch %d, which was acknowledged: %t", errLost, there, rowsEach, i, acked)
		}
	}
	return stage(ctx, s, &work{ack: func(string, ...any) {}}, rowBatches+1)
}

// held counts the rows of a version, which must be as they were staged.
func held(chains [][]feature.Record, i int) (there int, err error) {
	for j, row := range batch(i) {
		at := slices.IndexFunc(chains[j], func(r feature.Record) bool { return r.Version == feature.Version(i) })
		if at < 0 {
			continue
		}
		there++
		if r := chains[j][at]; r.EventTime != row.Record.EventTime || !bytes.Equal(r.Row, row.Record.Row) {
			return there, fmt.Errorf("row %d of batch %d is another", j, i)
		}
	}
	return there, nil
}
