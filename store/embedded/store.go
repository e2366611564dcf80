package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"sluice/feature"
)

// Errors of an embedded store. Callers test with errors.Is.
var (
	// ErrCorrupt reports bytes that no release of the store wrote.
	ErrCorrupt = errors.New("damaged row store")
	// ErrForeign reports a folder that holds something else.
	ErrForeign = errors.New("not a row store of this release")
	// ErrLocked reports a folder that is open already, mostly in another process.
	ErrLocked = errors.New("in use")
	// ErrClosed reports a store that was closed.
	ErrClosed = errors.New("closed")
)

// Row is a record of an entity on its way to the store.
type Row = feature.Row

// Options say where a store lives and what it survives.
type Options struct {
	Path string // folder; made if it is not there
	// Sync makes the method Sync wait until staged rows survive a loss of power.
	// Without it the method does nothing, and a crash may lose the last rows.
	Sync bool
	Log  *slog.Logger // nil: silent
}

const (
	cacheBytes    = 64 << 20
	memtableBytes = 16 << 20
	openFiles     = 512
	filterBits    = 10
	indexBytes    = 32 << 10 // a block; smaller ones make a second level of index
	stripes       = 256      // locks over keys
)

// Store is an online store in a folder.
type Store struct {
	path string
	sync bool
	db   *pebble.DB

	life   sync.RWMutex // held for writing by Close alone
	closed bool

	locks [stripes]sync.Mutex
}

// Open opens the store in a folder, and makes it if the folder is empty or absent.
// ErrForeign, ErrLocked and ErrCorrupt say which folder it is and what to do.
func Open(opts Options) (*Store, error) {
	if err := checkFolder(opts.Path); err != nil {
		return nil, fmt.Errorf("open row store: %w", err)
	}
	db, err := pebble.Open(opts.Path, pebbleOptions(opts.Log))
	if err != nil {
		return nil, fmt.Errorf("open row store: %w", explain(opts.Path, err))
	}
	s := &Store{path: opts.Path, sync: opts.Sync, db: db}
	if err := s.checkFormat(); err != nil {
		return nil, errors.Join(fmt.Errorf("open row store: %w", err), db.Close())
	}
	return s, nil
}

func pebbleOptions(log *slog.Logger) *pebble.Options {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	o := &pebble.Options{
		CacheSize:                   cacheBytes,
		Comparer:                    keyOrder,
		FormatMajorVersion:          pebble.FormatNewest,
		L0CompactionThreshold:       2,
		Logger:                      logger{log},
		MaxOpenFiles:                openFiles,
		MemTableSize:                memtableBytes,
		MemTableStopWritesThreshold: 4,
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
		o.Levels[i].IndexBlockSize = indexBytes
	}
	// The versions of a key are all read, so none of them is put aside.
	o.Experimental.EnableValueBlocks = func() bool { return false }
	return o
}

// checkFolder refuses what is no folder, and a folder with files of something else.
func checkFolder(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w: choose a folder: %w", path, ErrForeign, err)
	}
	if len(entries) == 0 {
		return nil
	}
	desc, err := pebble.Peek(path, vfs.Default)
	if err != nil {
		return explain(path, err)
	}
	if !desc.Exists {
		return fmt.Errorf("%s: %w: it holds other files, or lost its own: restore it, or choose an empty folder", path, ErrForeign)
	}
	return nil
}

// checkFormat marks a new store and refuses one of another release.
func (s *Store) checkFormat() error {
	value, closer, err := s.db.Get(formatKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return s.db.Set(formatKey, []byte{layout}, pebble.Sync)
	}
	if err != nil {
		return explain(s.path, err)
	}
	defer closer.Close()
	if len(value) != 1 || value[0] != layout {
		return fmt.Errorf("%s: %w: layout %x, and this release knows %x: run the release that wrote it", s.path, ErrForeign, value, layout)
	}
	return nil
}

// Close writes out what is staged and closes the folder.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close row store: %w", explain(s.path, err))
	}
	return nil
}

// enter keeps the store open until leave.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.life.RLock()
	if s.closed {
		s.life.RUnlock()
		return nil, ErrClosed
	}
	return s.life.RUnlock, nil
}

// Sync makes every row staged so far durable, if the store was opened with Sync.
// Call it before the progress that covers the rows is written.
func (s *Store) Sync(ctx context.Context) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return fmt.Errorf("sync rows: %w", err)
	}
	defer leave()
	if !s.sync {
		return nil
	}
	if err := s.db.LogData(nil, pebble.Sync); err != nil {
		return fmt.Errorf("sync rows: %w", explain(s.path, err))
	}
	return nil
}

// Size returns the bytes that the store takes on disk; 0 once it is closed.
func (s *Store) Size() uint64 {
	leave, err := s.enter(context.Background())
	if err != nil {
		return 0
	}
	defer leave()
	return s.db.Metrics().DiskSpaceUsage()
}

// explain names the folder, and what to do where Pebble found damage or a lock.
func explain(path string, err error) error {
	switch {
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("%s: %w: move the folder away and replay the log to fill a new one: %w", path, ErrCorrupt, err)
	case errors.Is(err, ErrCorrupt), errors.Is(err, ErrForeign):
		return err
	case isLocked(err):
		return fmt.Errorf("%s: %w: stop it first: %w", path, ErrLocked, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}
