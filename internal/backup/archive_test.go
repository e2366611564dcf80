package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"testing"
	"time"
)

// sample is an archive with every kind of record and of value.
func sample(t testing.TB) (file []byte, said Summary) {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, Header{MadeAt: time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC), Release: "dev", Registry: "sqlite", Generation: 3})
	if err != nil {
		t.Fatal(err)
	}
	errs := []error{w.State([]byte("state")), w.State(bytes.Repeat([]byte("long"), 1<<14)), w.Table(Table{"a", []string{"x", "y"}}), w.Table(Table{"b", []string{"x"}})}
	for i := range 100 {
		errs = append(errs, w.Row([]any{int64(i), "text", []byte{0, byte(i)}, nil, int64(math.MinInt64), []byte{}}))
	}
	said, err = w.Close()
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), said
}

func readAll(file []byte) (records []Record, err error) {
	r, err := NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return records, err
		}
		records = append(records, record)
	}
}

func TestRoundTrip(t *testing.T) {
	file, said := sample(t)
	records, err := readAll(file)
	if err != nil || len(records) != 104 {
		t.Fatalf("%d records (%v), want 104", len(records), err)
	}
	if got, want := records[4].Row, []any{int64(0), "text", []byte{0, 0}, nil, int64(math.MinInt64), []byte{}}; !reflect.DeepEqual(got, want) {
		t.Errorf("row = %#v, want %#v", got, want)
	}
	header, found, err := Verify(bytes.NewReader(file))
	if err != nil || !reflect.DeepEqual(found, said) || header.Generation != 3 || found.States != 2 || found.Rows() != 100 || found.Tables["b"] != 100 {
		t.Errorf("Verify = %+v, %+v, %v, want %+v", header, found, err, said)
	}
}

// No byte of an archive can be changed, left out or added without being found.
func TestDamage(t *testing.T) {
	file, _ := sample(t)
	check := func(what string, bad []byte) {
		t.Helper()
		if _, _, err := Verify(bytes.NewReader(bad)); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrRelease) {
			t.Errorf("%s: Verify = %v, want %v", what, err, ErrCorrupt)
		}
	}
	for i := range file {
		bad := bytes.Clone(file)
		bad[i] ^= 0x41
		if _, _, err := Verify(bytes.NewReader(bad)); err == nil {
			// A bit of the compressed form that does not matter must leave the content.
			records, _ := readAll(bad)
			if want, _ := readAll(file); !reflect.DeepEqual(records, want) {
				t.Errorf("byte %d changed: other records, and no error", i)
			}
		}
		check(fmt.Sprintf("cut at %d", i), file[:i])
	}
	check("a byte more", append(bytes.Clone(file), 0))
	check("twice", append(bytes.Clone(file), file...))
	newer := bytes.Clone(file)
	newer[len(magic)] = form + 1
	if _, _, err := Verify(bytes.NewReader(newer)); !errors.Is(err, ErrRelease) {
		t.Errorf("a newer form: Verify = %v, want %v", err, ErrRelease)
	}
}

func TestWriterRefuses(t *testing.T) {
	w, err := NewWriter(io.Discard, Header{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Table(Table{Name: "a"}), w.Row([]any{1.5})); err == nil {
		t.Error("a value without a form was taken")
	}
	full := errors.New("disk full")
	if w, err = NewWriter(&failing{after: 40, err: full}, Header{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); !errors.Is(err, full) {
		t.Errorf("Close on a full disk = %v, want %v", err, full)
	}
}

// failing is a disk that is full after some bytes.
type failing struct {
	after int
	err   error
}

func (f *failing) Write(b []byte) (int, error) {
	if f.after -= len(b); f.after < 0 {
		return 0, f.err
	}
	return len(b), nil
}

func FuzzReader(f *testing.F) {
	file, _ := sample(f)
	f.Add(file[:200])
	f.Add([]byte(magic + "\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := readAll(data); err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrRelease) {
			t.Fatalf("error %v is neither %v nor %v", err, ErrCorrupt, ErrRelease)
		}
	})
}

func FuzzRow(f *testing.F) {
	seed, err := appendRow(nil, []any{int64(-1), "t", []byte("b"), nil})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		row, err := decodeRow(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error %v is not %v", err, ErrCorrupt)
			}
			return
		}
		b, err := appendRow(nil, row)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := decodeRow(b); err != nil || !reflect.DeepEqual(again, row) {
			t.Fatalf("round trip gave %#v (%v), want %#v", again, err, row)
		}
	})
}
