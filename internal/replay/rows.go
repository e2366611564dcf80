package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"time"
	"unicode/utf8"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/store/tabular"
)

// profile reads a file into the profile of its window. Rows with a value that is not of
// its feature's type are refused. fresh are its columns that are none of those that are known.
func profile(ctx context.Context, path string, view *feature.View, layout *sketch.Layout, window feature.Window, known map[string]bool) (p *sketch.Profile, fresh []string, err error) {
	r, types := &rows{at: map[string]int{}, words: map[string]string{}}, map[string]feature.Type{}
	for name := range known {
		r.at[name] = noFeature
	}
	for i, f := range view.Features {
		types[f.Name], r.at[f.Name] = f.Type, i
		r.types = append(r.types, f.Type)
	}
	in, err := tabular.OpenTyped(path, types)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	p = sketch.NewProfile(view, layout, sketch.HashKey{})
	b := newBlock(feature.Write{View: view, EventTime: window.Start, Topic: filepath.Base(path)}, len(view.Features))
	for offset := int64(0); ; offset++ {
		if offset%rowsAtOnce == 0 && ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		line, _, err := in.Next()
		if errors.Is(err, io.EOF) {
			b.flush(p)
			return p, r.fresh, nil
		}
		if err != nil {
			return nil, nil, err
		}
		refused, err := r.decode(line, b.next(p, offset))
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("read %s: row %d: %w", filepath.Base(path), offset+1, err)
		case refused >= 0:
			p.Refuse(refused)
		default:
			b.taken++
		}
	}
}

// rowsAtOnce is after how many rows somebody who waits no longer is heard.
const rowsAtOnce = 1000

// blockRows is how many rows of a file are profiled at a time.
const blockRows = 256

// block holds rows until there are enough to be profiled together.
type block struct {
	writes []*feature.Write
	taken  int // of writes
}

// newBlock returns an empty block of rows like row, with so many values each.
func newBlock(row feature.Write, values int) *block {
	b := &block{writes: make([]*feature.Write, blockRows)}
	rows, all := make([]feature.Write, blockRows), make([]feature.Value, blockRows*values)
	for i := range rows {
		rows[i], b.writes[i] = row, &rows[i]
		rows[i].Values = all[i*values : (i+1)*values : (i+1)*values]
	}
	return b
}

// next returns the values of the next row, which is at that offset and counts once taken is more; a full
// block is profiled first.
func (b *block) next(p *sketch.Profile, offset int64) []feature.Value {
	if b.taken == len(b.writes) {
		b.flush(p)
	}
	w := b.writes[b.taken]
	w.Offset = offset
	return w.Values
}

// flush profiles the rows that were taken.
func (b *block) flush(p *sketch.Profile) {
	p.AddBatch(b.writes[:b.taken])
	b.taken = 0
}

// rows reads rows of a view.
type rows struct {
	fields tabular.Fields
	at     map[string]int // positions of the features; noFeature of other columns
	types  []feature.Type
	words  map[string]string // texts that came, for one copy of each
	fresh  []string          // columns that were not known
}

// noFeature is the position of a column that is no feature.
const noFeature = -1

// mostFresh bounds the columns that are remembered.
const mostFresh = 1000

// decode reads a row's values, and returns the position of a feature whose value is
// not of its type; -1 if there is none. Columns that are no feature are passed over.
func (r *rows) decode(line []byte, values []feature.Value) (refused int, err error) {
	for i := range values {
		values[i] = feature.Null
	}
	members, err := r.fields.Of(line)
	if err != nil {
		return 0, err
	}
	refused = -1
	for _, m := range members {
		i, known := r.at[string(m.Name)]
		if !known && len(r.fresh) < mostFresh {
			name := string(m.Name)
			r.at[name], r.fresh = noFeature, append(r.fresh, name)
		}
		if !known || i == noFeature || m.Value[0] == 'n' {
			continue
		}
		value, ok := r.valueOf(m.Value, r.types[i])
		if !ok && refused < 0 {
			refused = i
		}
		values[i] = value
	}
	return refused, nil
}

// mostWords bounds the texts that are remembered.
const mostWords = 1 << 16

// word returns the text of a JSON string; false if it is no text.
func (r *rows) word(text []byte) (string, bool) {
	inner := text[1 : len(text)-1]
	if bytes.IndexByte(inner, '\\') >= 0 {
		var word string
		err := json.Unmarshal(text, &word)
		return word, err == nil
	}
	if word, known := r.words[string(inner)]; known {
		return word, true
	}
	word := string(inner)
	if !utf8.ValidString(word) {
		return "", false // the tap refuses it
	}
	if len(r.words) < mostWords {
		r.words[word] = word
	}
	return word, true
}

// valueOf reads a JSON value, which is not null, as one of type t; false if it is none.
func (r *rows) valueOf(text []byte, t feature.Type) (feature.Value, bool) {
	word, quoted := "", text[0] == '"'
	if quoted {
		var ok bool
		if word, ok = r.word(text); !ok {
			return feature.Null, false
		}
	}
	switch {
	case t.IsList():
		return r.listOf(text, t)
	case t == feature.JSON:
		return feature.JSONValue(string(text)), len(text) <= maxText && utf8.Valid(text)
	}
	switch t {
	case feature.Timestamp:
		if quoted {
			at, err := time.Parse(time.RFC3339Nano, word)
			return feature.TimestampValue(at), err == nil
		}
		seconds, err := strconv.ParseInt(string(text), 10, 64)
		return feature.UnixSecondsValue(seconds), err == nil && seconds >= minSecond && seconds <= maxSecond
	case feature.Float64:
		switch {
		case word == "NaN":
			return feature.Float64Value(math.NaN()), true
		case quoted && word != "Infinity" && word != "-Infinity":
			return feature.Null, false
		case quoted:
			text = []byte(word)
		}
		v, err := strconv.ParseFloat(string(text), 64)
		return feature.Float64Value(v), err == nil || errors.Is(err, strconv.ErrRange)
	case feature.Bool:
		truth := string(text) == "true" || word == "true"
		return feature.BoolValue(truth), truth || string(text) == "false" || word == "false"
	}
	if !quoted { // a number or truth in a column of texts: history may have had them
		word = string(text)
	}
	if text[0] == '[' || text[0] == '{' {
		return feature.Null, false
	}
	return feature.StringValue(word), len(word) <= maxText
}

// What the tap refuses: texts and documents that are longer, in bytes, and times that are not
// of the years 1 to 9999, in Unix seconds.
const (
	maxText   = 64 << 10
	minSecond = -62135596800
	maxSecond = 253402300799
)

// listOf reads a list. Elements that are null, which the tap refuses, are left out: files of
// other tools have them.
func (r *rows) listOf(text []byte, t feature.Type) (feature.Value, bool) {
	if text[0] != '[' {
		return feature.Null, false
	}
	var list []feature.Value
	all := true
	err := tabular.Each(text, func(element []byte) error {
		if element[0] == 'n' {
			return nil
		}
		v, ok := r.valueOf(element, t.Elem())
		ok = ok && (t.Elem() != feature.String || element[0] == '"')
		all, list = all && ok, append(list, v)
		return nil
	})
	return feature.ListValue(t.Elem(), list), all && err == nil
}
