package tabular

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"

	"sluice/feature"
)

const (
	// childEnv, if set, holds the column types as JSON, and makes the program the
	// reader of the Parquet file that is its standard input.
	childEnv = "SLUICE_TABULAR_CHILD"
	// childMemory is how much memory a child may have for a file, in bytes.
	childMemory = 768 << 20
)

// ServeChild reports whether this process was started by Open to read one Parquet
// file, and if so has done that: main returns at once. Call it before anything
// else.
func ServeChild() bool {
	types, ok := os.LookupEnv(childEnv)
	if !ok {
		return false
	}
	signal.Ignore(os.Interrupt) // of a terminal, which sends it to the parent too: that says what becomes of the file
	out := bufio.NewWriterSize(os.Stdout, 256<<10)
	if err := serve(os.Stdin, types, frames{out}); err != nil {
		frames{out}.write(frameError, []byte(errorKind(err)), []byte(err.Error()))
	}
	out.Flush()
	return true
}

// serve writes the file's rows to out.
func serve(in *os.File, types string, out frames) (err error) {
	defer caught(&err)
	debug.SetMemoryLimit(childMemory / 2)
	if err := limitMemory(childMemory); err != nil {
		return fmt.Errorf("limit memory: %w", err)
	}
	var columns map[string]feature.Type
	if err := json.Unmarshal([]byte(types), &columns); err != nil {
		return fmt.Errorf("%s: %w", childEnv, err)
	}
	info, err := in.Stat()
	if err != nil {
		return err
	}
	r, err := newRows(in, info.Size(), columns)
	if err != nil {
		return err
	}
	if err := out.writeRows(r.file.NumRows()); err != nil {
		return err
	}
	if r.file.NumRows() == 0 {
		for _, c := range r.file.Root().Columns() {
			if err := out.write(frameColumn, nil, []byte(c.Name())); err != nil {
				return err
			}
		}
	}
	for {
		line, id, err := r.next()
		if errors.Is(err, io.EOF) {
			return out.write(frameEnd, nil, nil)
		}
		if err == nil {
			err = out.write(frameRow, []byte(id), line)
		}
		if err != nil {
			return err
		}
	}
}
