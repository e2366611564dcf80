package readership

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
)

// ExposedFunc records how often versions were read: one entry a view and version,
// with the rows since the report before it. It is called about once a second while there
// are reads, and when Run ends. A report that it returns an error for comes again as it
// was, with the same number, and what followed comes after it: whoever records a number
// once counts every read once, also where the answer was lost.
type ExposedFunc func(ctx context.Context, number uint64, reads []feature.Exposure) error

// ReadersFunc records who reads what: what this process counted of views in an hour of
// the platform's clock, all of it, in place of what it said of that view and hour before.
// Process is empty. It is called every ten seconds while there are reads, and when Run
// ends; what it returns an error for comes again, with what followed.
type ReadersFunc func(ctx context.Context, list []feature.Readership) error

// ServedFunc takes a sample of the rows that reads returned, of any view, at most
// Config.SampleRate of a view in a second. It is called from one goroutine; while
// it does not return rows wait, a bounded number of them. It owns rows.
type ServedFunc func(ctx context.Context, rows []feature.ServedRow) error

// Config says whom reads are reported to, and by which clock. Now and Log are required.
type Config struct {
	SampleRate int // rows of a view that are sampled in a second; 0 samples none

	Exposed ExposedFunc // nil: reads are not counted by version
	Readers ReadersFunc // nil: reads are not counted by feature
	Served  ServedFunc  // nil: nothing is sampled

	Now        func() time.Time      // the platform's clock; a zero time: not set
	Registerer prometheus.Registerer // nil: metrics are kept but not exported
	Log        *slog.Logger
}
