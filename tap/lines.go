package tap

import (
	"fmt"

	"sluice/feature"
	"sluice/quality"
)

// Lines reads flat records of one view that are on no log, such as those of a file, and
// holds them to the view's expectations, as the tap does. It belongs to one goroutine.
type Lines struct {
	view    *viewSource
	reading reading
}

// NewLines returns a reader of records of view. The error is that of an expectation
// that does not compile.
func NewLines(view *feature.View) (*Lines, error) {
	checker, err := quality.NewChecker(view)
	if err != nil {
		return nil, fmt.Errorf("read records of %s: %w", view.Name, err)
	}
	return &Lines{view: &viewSource{newDecoder(view), checker}}, nil
}

// Read reads one record. refused is NotRefused for one that the tap would accept, else
// the index of the feature whose expectation it breaks, -1 if no single one does. The
// error says what is wrong with a record that would be a dead letter. The write is valid
// until the next call.
func (l *Lines) Read(line []byte) (w *feature.Write, refused int, err error) {
	if bad := l.reading.readFlat(l.view.decoder, line, false); bad != nil {
		return nil, NotRefused, fmt.Errorf("%s: %s", bad.reason, bad.text)
	}
	w = &l.reading.write
	if w.Delete {
		return w, NotRefused, nil
	}
	if i, _, ok := l.view.checker.Check(w); !ok {
		return w, i, nil
	}
	return w, NotRefused, nil
}
