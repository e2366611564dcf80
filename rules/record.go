package rules

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"sluice/feature"
)

// ErrRecord reports bytes that are no record.
var ErrRecord = errors.New("corrupt record")

// Record is what rules read when a verdict was made, without what was only for people:
// enough to apply other rules to it, and the same ones with the same result. It is kept
// for every verdict, some tens of bytes for each feature.
type Record struct {
	Versions []feature.Version // that the verdict is on
	Level    float64           // of the run
	Scores   []feature.Score   // Feature, Method, Summary, Statistic, Severity, Bound, Effect, Uncalibrated; PValue is 1, or not-a-number
	// Since are the scores of a shift that began within probation, where one was looked
	// for. Their verdict takes the place of that on Scores if it fails.
	Since []feature.Score
}

const recordFormat = 1

// Flags of an encoded score.
const (
	flagEffect = 1 << iota
	flagUncalibrated
	flagShort
	flagBroken    // the p-value is not a number
	flagStatistic // it is not 0; so are the next two
	flagSeverity
	flagBound
)

// MarshalBinary returns the bytes of r: a format byte, level, versions, a table of
// words (features, methods, summaries), and of every score three positions in the table, flags,
// and those numbers that are not 0, exactly.
func (r *Record) MarshalBinary() ([]byte, error) {
	b := binary.LittleEndian.AppendUint64([]byte{recordFormat}, math.Float64bits(r.Level))
	b = binary.AppendUvarint(b, uint64(len(r.Versions)))
	for _, v := range r.Versions {
		b = binary.AppendUvarint(b, uint64(v))
	}
	var words []string
	at := map[string]uint64{}
	for _, list := range [][]feature.Score{r.Scores, r.Since} {
		for i := range list {
			for _, word := range []string{list[i].Feature, list[i].Method, list[i].Summary} {
				if _, known := at[word]; !known {
					at[word], words = uint64(len(words)), append(words, word)
				}
			}
		}
	}
	b = binary.AppendUvarint(b, uint64(len(words)))
	for _, word := range words {
		b = append(binary.AppendUvarint(b, uint64(len(word))), word...)
	}
	for _, list := range [][]feature.Score{r.Scores, r.Since} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for i := range list {
			b = appendScore(b, &list[i], at)
		}
	}
	return b, nil
}

func appendScore(b []byte, s *feature.Score, at map[string]uint64) []byte {
	b = binary.AppendUvarint(b, at[s.Feature])
	b = binary.AppendUvarint(b, at[s.Method])
	b = binary.AppendUvarint(b, at[s.Summary])
	flags, where := byte(0), len(b)
	b = append(b, 0)
	for i, is := range [...]bool{s.Effect, s.Uncalibrated, s.Short != "", !finite(s.PValue)} {
		if is {
			flags |= 1 << i
		}
	}
	for i, v := range [...]float64{s.Statistic, s.Severity, s.Bound} {
		if v != 0 {
			flags |= flagStatistic << i
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
	}
	b[where] = flags
	return b
}

// shortRecorded is what a record says of a score that was short.
const shortRecorded = "too few rows"

// RecordReader decodes records. It keeps the words that it met, so that many records of
// few views are read fast. It belongs to one goroutine.
type RecordReader struct{ words map[string]string }

// mostWords bounds the words that are kept.
const mostWords = 1 << 16

// Read decodes b into r, whose slices it uses again; ErrRecord if b is no record.
func (d *RecordReader) Read(b []byte, r *Record) error {
	in := recordBytes{b: b}
	if in.byte() != recordFormat {
		return fmt.Errorf("read record: format: %w", ErrRecord)
	}
	r.Level = in.float()
	r.Versions = r.Versions[:0]
	for range in.count(1) {
		r.Versions = append(r.Versions, feature.Version(in.uvarint()))
	}
	words := make([]string, in.count(1))
	for i := range words {
		words[i] = d.word(in.take(in.uvarint()))
	}
	r.Scores = in.scores(r.Scores[:0], words)
	r.Since = in.scores(r.Since[:0], words)
	if in.bad || len(in.b) > 0 {
		return fmt.Errorf("read record: %w", ErrRecord)
	}
	return nil
}

func (d *RecordReader) word(b []byte) string {
	if word, known := d.words[string(b)]; known {
		return word
	}
	word := string(b)
	if d.words == nil {
		d.words = map[string]string{}
	}
	if len(d.words) < mostWords {
		d.words[word] = word
	}
	return word
}

// recordBytes are what is left of a record; bad once something was missing.
type recordBytes struct {
	b   []byte
	bad bool
}

func (in *recordBytes) take(n uint64) []byte {
	if n > uint64(len(in.b)) {
		in.bad, in.b = true, nil
		return nil
	}
	out := in.b[:n]
	in.b = in.b[n:]
	return out
}

func (in *recordBytes) byte() byte {
	if b := in.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (in *recordBytes) float() float64 {
	if b := in.take(8); len(b) == 8 {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (in *recordBytes) uvarint() uint64 {
	v, n := binary.Uvarint(in.b)
	if n <= 0 {
		in.bad, in.b = true, nil
		return 0
	}
	in.b = in.b[n:]
	return v
}

// count reads how many things of at least size bytes follow.
func (in *recordBytes) count(size int) int {
	n := in.uvarint()
	if n > uint64(len(in.b)/size) {
		in.bad, in.b = true, nil
		return 0
	}
	return int(n)
}

func (in *recordBytes) scores(out []feature.Score, words []string) []feature.Score {
	word := func() string {
		at := in.uvarint()
		if at >= uint64(len(words)) {
			in.bad, in.b = true, nil
			return ""
		}
		return words[at]
	}
	for range in.count(4) {
		s := feature.Score{Feature: word(), Method: word(), Summary: word(), PValue: 1}
		flags := in.byte()
		s.Effect, s.Uncalibrated = flags&flagEffect != 0, flags&flagUncalibrated != 0
		if flags&flagShort != 0 {
			s.Short = shortRecorded
		}
		if flags&flagBroken != 0 {
			s.PValue = math.NaN()
		}
		for i, v := range [...]*float64{&s.Statistic, &s.Severity, &s.Bound} {
			if flags&(flagStatistic<<i) != 0 {
				*v = in.float()
			}
		}
		out = append(out, s)
	}
	return out
}
