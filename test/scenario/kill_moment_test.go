package scenario

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// moment is when a process is killed: once files of its data folder have been
// written a number of times, or after a while if none are named.
type moment struct {
	name   string
	files  string // pattern below the data folder
	writes int    // at most; drawn from 1
}

// moments are those of the loop in which a death is worst: some rows of a batch are
// staged, a checkpoint's transaction has begun, a decision is being committed. The
// registry is written when a version opens, is sealed and is decided.
var moments = []moment{
	{"any", "", 0},
	{"stage", "rows/*.log", 2},
	{"any", "", 0},
	{"checkpoint", "log/partitions/sluice.profiles-*/*.dat", 3},
	{"any", "", 0},
	{"swap", "registry.db-wal", 3},
}

// await returns once the moment is there, which it reports, or after two seconds.
func (s *server) await(rng *rand.Rand, m moment) (came bool) {
	s.t.Helper()
	limit := 2 * time.Second
	if m.files == "" {
		limit = time.Duration(rng.Int64N(int64(150 * time.Millisecond)))
	}
	left := 1
	if m.writes > 0 {
		left += rng.IntN(m.writes)
	}
	tick, end := time.NewTicker(50*time.Microsecond), time.After(limit)
	defer tick.Stop()
	for before := written(s.t, s.dir, m.files); left > 0; {
		select {
		case <-tick.C:
			if now := written(s.t, s.dir, m.files); now != before {
				before = now
				left--
			}
		case <-end:
			return m.files == ""
		}
	}
	return true
}

// state is what tells that files were written to since.
type state struct {
	files int
	bytes int64
	last  time.Time
}

// written returns the state of the files of a pattern; without one nothing changes.
func written(t *testing.T, dir, pattern string) (s state) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			continue // removed meanwhile: the next look sees it
		}
		s = s.with(info)
	}
	return s
}

func (s state) with(info fs.FileInfo) state {
	s.files++
	s.bytes += info.Size()
	if info.ModTime().After(s.last) {
		s.last = info.ModTime()
	}
	return s
}
