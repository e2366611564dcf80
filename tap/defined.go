package tap

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"sluice/feature"
)

// Past knows the definitions that were in force once.
type Past interface {
	// DefinitionsAt returns those of a generation, which is not 0; feature.ErrNotFound if
	// there are none.
	DefinitionsAt(ctx context.Context, generation uint64) (feature.Definitions, error)
}

// maxDefined bounds how many changes of the definitions a partition, and the span of a
// window, keeps.
const maxDefined = 64

// define notes that the definitions in force decide from the record at offset from on, and
// forgets what decided about records whose event ids are no longer known.
func (p *partition) define(from int64) {
	d := p.sources.decides
	d.Offset = from
	if n := len(p.defined); n > 0 && p.defined[n-1].Generation == d.Generation && p.defined[n-1].Digest == d.Digest {
		return
	}
	p.defined = decided(p.defined, d)
	for len(p.defined) > 1 && p.defined[1].Offset <= from-int64(p.tap.cfg.DedupeIDs) {
		p.defined = p.defined[1:]
	}
	p.changed = true
	for _, v := range p.views {
		for _, w := range v.windows {
			w.span.Defined, w.dirty = decided(w.span.Defined, d), true
		}
	}
}

// decided adds d to a list of which it is the newest.
func decided(list []feature.Defined, d feature.Defined) []feature.Defined {
	if n := len(list); n > 0 && list[n-1].Offset == d.Offset { // which decided nothing
		list = list[:n-1]
	}
	list = append(list, d)
	return list[max(0, len(list)-maxDefined):]
}

// judges gives, while a span is read again, the view by which each of its records was
// judged.
type judges struct {
	past    *pastViews
	topic   string
	defined []feature.Defined // those to come
	given   *viewSource       // what the window is read for
	now     *viewSource       // nil: the view was not defined, or did not read the topic
	known   bool              // that now is what decided
	from    []int             // for each feature of given, which of now it is; -1: none
	write   feature.Write
	values  []feature.Value
}

// move goes to the record at offset; offsets rise.
func (j *judges) move(ctx context.Context, offset int64) (err error) {
	var d *feature.Defined
	for len(j.defined) > 0 && j.defined[0].Offset <= offset {
		d, j.defined = &j.defined[0], j.defined[1:]
	}
	if d == nil {
		return nil
	}
	j.now, j.known, err = j.past.source(ctx, j.given, j.topic, *d)
	if j.from = j.from[:0]; j.now == nil || j.now == j.given {
		return err
	}
	was := j.now.view.Features
	for _, f := range j.given.view.Features {
		j.from = append(j.from, slices.IndexFunc(was, func(o feature.Feature) bool { return o.Name == f.Name && o.Type == f.Type }))
	}
	return err
}

// convert returns a write of the view of the time as one of the view that is given, which
// has those of its values that are of the same name and type, as the row has that was staged
// then. It is valid until the next one. False: the views have other join keys.
func (j *judges) convert(m *feature.Write) (*feature.Write, bool) {
	is := j.given.view
	if !slices.Equal(m.View.Entities, is.Entities) {
		return nil, false
	}
	j.write = *m
	j.write.View = is
	if len(m.Values) == 0 {
		return &j.write, true
	}
	j.values = j.values[:0]
	for _, at := range j.from {
		var v feature.Value
		if at >= 0 {
			v = m.Values[at]
		}
		j.values = append(j.values, v)
	}
	j.write.Values = j.values
	return &j.write, true
}

// blamed returns what the view of the time blamed, as quality's Checker.Check numbers it,
// by the view that is given; -1, the write as a whole, if that has none of the name.
func (j *judges) blamed(i int) int {
	was, is := j.now.view, j.given.view
	switch features := len(was.Features); {
	case i < 0:
		return i
	case i < features:
		return is.FeatureAt(was.Features[i].Name)
	default:
		name := was.Expect[i-features].Name
		if at := slices.IndexFunc(is.Expect, func(e feature.Expectation) bool { return e.Name == name }); at >= 0 {
			return len(is.Features) + at
		}
		return -1
	}
}

// pastViews makes views ready as they were once. It is safe for concurrent use.
type pastViews struct {
	past         Past // may be nil
	defaultTopic string

	mu    sync.Mutex
	ready map[pastView]*viewSource
}

type pastView struct {
	generation uint64
	digest     string
	name       string
	topic      string
}

// maxPastViews bounds how many views are kept ready.
const maxPastViews = 256

// source returns given as it was when d decided about a topic, which is given itself if
// nothing has changed; nil if there was no such view of the topic. Not known are
// definitions that the registry does not have, or has others in their place, as one that
// was restored from an older backup may, and those of an older release that this one cannot
// read: then it is given as well.
func (p *pastViews) source(ctx context.Context, given *viewSource, topic string, d feature.Defined) (src *viewSource, known bool, err error) {
	if d.Generation == 0 {
		return nil, true, nil
	}
	if p.past == nil || d.Digest == "" {
		return given, false, nil
	}
	key := pastView{d.Generation, d.Digest, given.view.Name, topic}
	p.mu.Lock()
	src, known = p.ready[key]
	p.mu.Unlock()
	if !known {
		defs, err := p.past.DefinitionsAt(ctx, d.Generation)
		if errors.Is(err, feature.ErrNotFound) || err == nil && defs.Digest() != d.Digest {
			return given, false, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("definitions of generation %d: %w", d.Generation, err)
		}
		if src, err = p.make(&defs, key); err != nil {
			return given, false, nil
		}
	}
	if src != nil && reflect.DeepEqual(src.view, given.view) {
		return given, true, nil
	}
	return src, true, nil
}

func (p *pastViews) make(defs *feature.Definitions, key pastView) (src *viewSource, err error) {
	if view := defs.View(key.name); view != nil && TopicOf(view, p.defaultTopic) == key.topic {
		if src, err = newViewSource(view); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ready) >= maxPastViews {
		clear(p.ready)
	}
	p.ready[key] = src
	return src, nil
}
