package tabular

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// A terminal sends its signal to the child as well: the parent decides what becomes of the file,
// which is not corrupt for that.
func TestChildIsNotInterrupted(t *testing.T) {
	in := openLong(t)
	if err := in.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	lines, _, err := readAll(in)
	if err := errors.Join(err, in.Close()); err != nil || len(lines) != longRows-1 {
		t.Errorf("%d rows after the signal, %v; want %d", len(lines), err, longRows-1)
	}
}

// A child that the system kills, for want of memory, leaves a file that is not corrupt.
func TestChildIsKilled(t *testing.T) {
	in := openLong(t)
	if err := in.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _, err := readAll(in)
	if !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "was killed") || errors.Join(nil, in.Close()) != nil {
		t.Errorf("error %v, want ErrLimit", err)
	}
}

const longRows = 3000

// openLong opens a Parquet file of longRows, of which the first is read, with a child that has more to say
// than pipe and buffers hold.
func openLong(t *testing.T) *parent {
	t.Helper()
	type row struct{ Text string }
	rows := make([]row, longRows)
	for i := range rows {
		rows[i].Text = fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000)) // 3 MB
	}
	var file bytes.Buffer
	if err := parquet.Write(&file, rows); err != nil {
		t.Fatal(err)
	}
	in, err := Open(write(t, "a.parquet", file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := in.Next(); err != nil {
		t.Fatal(err)
	}
	return in.(*parent)
}

// Whoever reads the columns of a file may stop.
func TestReadingEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	path := write(t, "a.csv", []byte("x\n"+strings.Repeat("1\n", 200_000)))
	rows := 0
	if _, err := ReadValues(ctx, path, func(n int) { rows = n; stop() }); !errors.Is(err, context.Canceled) || rows != 50_000 {
		t.Errorf("ReadValues = %v after %d rows, want context.Canceled after 50000", err, rows)
	}
	if _, err := ReadKinds(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("ReadKinds = %v, want context.Canceled", err)
	}
	if _, err := ReadTimes(ctx, path, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("ReadTimes = %v, want context.Canceled", err)
	}
}
