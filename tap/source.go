package tap

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

const (
	keptMinutes  = 240 // with dead letters: what a gate that was away for hours still sees
	cleanMinutes = 4   // without: records of a minute do not come in order
)

// sourceMinutes counts a partition's records by minute, in the order in which the minutes
// came.
type sourceMinutes []feature.SourceMinute

// note counts a record. Its own time decides, which does not change when it is read again.
func (s *sourceMinutes) note(r *kgo.Record, dead bool) {
	at := r.Timestamp.Unix() / 60
	if at <= 0 {
		return // the broker knows no times
	}
	m := s.minute(at)
	m.N++
	if dead {
		m.Dead++
	}
}

func (s *sourceMinutes) minute(at int64) *feature.SourceMinute {
	for i := len(*s) - 1; i >= 0; i-- {
		if (*s)[i].At == at {
			return &(*s)[i]
		}
	}
	s.trim()
	*s = append(*s, feature.SourceMinute{At: at})
	return &(*s)[len(*s)-1]
}

// trim makes room for one more minute: the oldest goes of those that are too many of their
// kind.
func (s *sourceMinutes) trim() {
	dead := 0
	for _, m := range *s {
		if m.Dead > 0 {
			dead++
		}
	}
	clean := len(*s) - dead
	kept := (*s)[:0]
	for _, m := range *s {
		switch {
		case m.Dead > 0 && dead >= keptMinutes:
			dead--
		case m.Dead == 0 && clean >= cleanMinutes:
			clean--
		default:
			kept = append(kept, m)
		}
	}
	*s = kept
}

// count counts what became of a record for its source. Dead is what was refused before it
// could be held against a window: writes that broke an expectation are held against theirs.
// A record of a view that is not defined is of no source.
func (p *partition) count(r *kgo.Record, out *outcome) {
	if out.accepted || out.duplicate {
		p.source.note(r, false)
		return
	}
	switch out.bad.reason {
	case feature.CodeUnknownView:
	case feature.CodeExpect, feature.CodeNotFinite:
		p.source.note(r, false)
	default:
		p.source.note(r, true)
	}
}
