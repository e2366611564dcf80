package serving

import (
	"bytes"
	"strings"
	"time"

	"sluice/feature"
)

// sample hands on the row at position row. This is where a read first allocates for
// sampling.
func (s *Server) sample(a *partAnswer, row int, now int64) {
	record, ok := a.shown.vector.Resolve(a.chains[row])
	if !ok {
		return
	}
	out := feature.ServedRow{
		View: a.part.view.ID, Key: feature.Key(strings.Clone(string(a.keys[row]))), Version: record.Version,
		EventTime: time.Unix(0, record.EventTime).UTC(), Values: bytes.Clone(record.Row),
	}
	if now != 0 {
		out.At = time.Unix(0, now).UTC()
	}
	s.report.Sample(out)
}
