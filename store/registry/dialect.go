package registry

import (
	"context"
	"database/sql"
	"hash/fnv"

	"sluice/feature"
)

// dialect is what the two databases do differently. The statements are the same.
type dialect interface {
	// begin starts a transaction that sees, statement by statement, what was
	// committed before the statement. The connection, if it is not nil, is closed
	// once the transaction is over.
	begin(ctx context.Context) (*sql.Tx, *sql.Conn, error)
	// put carries out a statement, or keeps it until flush, which carries out what
	// was kept in one exchange.
	put(ctx context.Context, tx *transaction, p put) error
	flush(ctx context.Context, tx *transaction) error
	// lockPut is the statement that takes locks until the transaction ends; false if
	// none is needed.
	lockPut(locks []lock) (put, bool)
	// finishPut is the last statement of a transaction; false if none is needed.
	finishPut(tx *transaction) (put, bool)
	// doubtful reports whether a transaction may be committed whose commit gave err,
	// and committed whether it is. committed waits for one that is not yet over.
	doubtful(err error) bool
	committed(ctx context.Context, tx *transaction) (bool, error)
	// clock is the query of the database's time, in Unix milliseconds.
	clock() string
	// taken reports whether err is a row that is there already.
	taken(err error) bool
	// transient reports whether err has to do with the connection or with others at
	// work, and not with what was asked.
	transient(err error) bool
	// explain says what to look at where err comes from the database.
	explain(err error) error
}

// lock is what keeps deciders apart that would otherwise decide upon what the other
// is about to change. A transaction that takes several takes them in the order of
// the spaces. One writer at a time needs none of them, as in a SQLite file.
type lock struct {
	space  int32
	key    int32
	shared bool
}

const (
	spaceView        int32 = iota + 1 // a view: its vector, versions and idleness
	spaceOwner                        // epochs: commits share it, whoever acquires does not
	spaceDefinitions                  // definitions, ids of views and features
	spaceSettings                     // clock, installation
	spaceLog                          // audit rows and alerts: numbered in the order of the commits
)

func viewLock(view feature.ViewID) lock { return lock{space: spaceView, key: int32(view)} }

func ownerLock(owner string, shared bool) lock {
	h := fnv.New32a()
	h.Write([]byte(owner))
	return lock{space: spaceOwner, key: int32(h.Sum32()), shared: shared}
}
