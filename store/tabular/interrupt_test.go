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
	type row struct{ Text string }
	rows := make([]row, 3000)
	for i := range rows {
		rows[i].Text = fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000)) // 3 MB: more than pipe and buffers hold
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
	if err := in.(*parent).cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	lines, _, err := readAll(in)
	if err := errors.Join(err, in.Close()); err != nil || len(lines) != len(rows)-1 {
		t.Errorf("%d rows after the signal, %v; want %d", len(lines), err, len(rows)-1)
	}
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
