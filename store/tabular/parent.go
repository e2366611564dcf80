package tabular

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"sluice/feature"
)

// maxSilence is how long a child may take for the next 64 KiB of rows.
const maxSilence = time.Minute

// parent reads the rows that a child writes.
type parent struct {
	name   string
	file   *os.File
	cmd    *exec.Cmd
	out    *os.File
	in     *bufio.Reader
	stderr head
	names  []string // columns of a file without rows
	n      int64
	row    int64
	err    error
}

// openChild starts this program again to read the Parquet file f, and waits until
// it has read the footer.
func openChild(f *os.File, name string, columns map[string]feature.Type) (Reader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkFooter(f, info.Size()); err != nil {
		return nil, err
	}
	if _, child := os.LookupEnv(childEnv); child {
		return nil, errors.New("this program was started to read a Parquet file and did not call tabular.ServeChild")
	}
	p := &parent{name: name, file: f}
	if err := p.start(columns); err != nil {
		return nil, fmt.Errorf("start the process that reads Parquet: %w", err)
	}
	if err := p.readRows(); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (p *parent) start(columns map[string]feature.Type) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	types, err := json.Marshal(columns)
	if err != nil {
		return err
	}
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	p.cmd = exec.Command(program)
	p.cmd.Env = []string{childEnv + "=" + string(types), "GOTRACEBACK=none"}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = p.file, in, &p.stderr
	if err := p.cmd.Start(); err != nil {
		out.Close()
		return err
	}
	p.out = out
	p.in = bufio.NewReaderSize(patient{out}, 64<<10)
	return nil
}

// patient reads from a child until it is silent for too long.
type patient struct{ *os.File }

func (p patient) Read(b []byte) (int, error) {
	if err := p.SetReadDeadline(time.Now().Add(maxSilence)); err != nil {
		return 0, err
	}
	return p.File.Read(b)
}

// readRows reads the first frame.
func (p *parent) readRows() error {
	kind, first, second, err := readFrame(p.in)
	if err != nil || kind != frameRows {
		return p.final(kind, first, second, err)
	}
	n, _ := binary.Uvarint(second)
	p.n = int64(n)
	return nil
}

func (p *parent) Next() ([]byte, string, error) {
	if p.err != nil {
		return nil, "", p.err
	}
	kind, first, second, err := readFrame(p.in)
	for err == nil && kind == frameColumn {
		p.names = append(p.names, string(second))
		kind, first, second, err = readFrame(p.in)
	}
	if err == nil && kind == frameRow {
		p.row++
		return second, string(first), nil
	}
	if p.err = p.final(kind, first, second, err); !errors.Is(p.err, io.EOF) {
		p.err = fmt.Errorf("read %s: %w", p.name, p.err)
	}
	return nil, "", p.err
}

// final returns what a frame that is no row, or the lack of one, means.
func (p *parent) final(kind byte, first, second []byte, err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("after row %d: no row within %s: %w", p.row, maxSilence, ErrCorrupt)
	case errors.Is(err, io.ErrUnexpectedEOF):
		p.wait()
		why := fmt.Sprintf("%v %.200q", p.cmd.ProcessState, p.stderr.first)
		if bytes.Contains(p.stderr.first, []byte("out of memory")) || bytes.Contains(p.stderr.first, []byte("cannot allocate memory")) {
			return fmt.Errorf("after row %d: reading needs more than %d MiB of memory: %w", p.row, childMemory>>20, ErrLimit)
		}
		if p.cmd.ProcessState.String() == "signal: killed" { // by somebody else: of the file it says nothing
			return fmt.Errorf("after row %d: the process that reads it was killed, as systems do that have too little memory: %w", p.row, ErrLimit)
		}
		return fmt.Errorf("after row %d: the process that reads it ended: %s: %w", p.row, why, ErrCorrupt)
	case err != nil:
		return err
	case kind == frameEnd:
		return io.EOF
	case kind == frameError:
		return &childError{text: string(second), kind: errorKinds[string(first)]}
	}
	return fmt.Errorf("the process that reads it is not this program: %w", ErrCorrupt)
}

func (p *parent) Rows() (int64, bool) { return p.n, true }

// header returns the columns of a file without rows, once its end is read.
func (p *parent) header() []string { return p.names }

// Close ends the child, which may be in the midst of the file.
func (p *parent) Close() error {
	p.stop()
	return p.file.Close()
}

// stop kills the child if it runs and waits for it. It may be called twice.
func (p *parent) stop() {
	p.out.Close()
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill() // an error means that it has ended
		_ = p.cmd.Wait()         // how it ended is in ProcessState
	}
}

// wait waits for a child that has closed its output to end.
func (p *parent) wait() {
	late := time.AfterFunc(maxSilence, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	_ = p.cmd.Wait() // how it ended is in ProcessState
}

// head keeps the first bytes that are written to it.
type head struct{ first []byte }

func (t *head) Write(b []byte) (int, error) {
	const most = 4 << 10
	t.first = append(t.first, b[:min(len(b), most-len(t.first))]...)
	return len(b), nil
}
