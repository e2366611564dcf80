package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

const feastPath = "/get-online-features"

// httpLane is a connection of HTTP/1.1: one request at a time, those that are due
// meanwhile wait.
type httpLane struct {
	run  *runner
	conn net.Conn
	in   *bufio.Reader
	head string

	mu      sync.Mutex
	busy    bool
	at      time.Time   // when the request that is out was due
	waiting []time.Time // of those that are not
	broken  bool
	out     []byte
}

func (r *runner) dialHTTP(ctx context.Context) (lane, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", r.config.Address)
	if err != nil {
		return nil, err
	}
	path := r.config.Path
	if path == "" {
		path = feastPath
	}
	head := "POST " + path + " HTTP/1.1\r\nHost: " + r.config.Address + "\r\nContent-Type: application/json\r\n"
	if r.config.Token != "" {
		head += "Authorization: Bearer " + r.config.Token + "\r\n"
	}
	return &httpLane{run: r, conn: conn, in: bufio.NewReaderSize(conn, readBuffer), head: head + "Content-Length: "}, nil
}

// readBuffer is small: there may be ten thousand of them.
const readBuffer = 4 << 10

func (l *httpLane) send(at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.broken:
		return errBroken
	case l.busy:
		l.waiting = append(l.waiting, at)
		return nil
	}
	return l.write(at)
}

// write sends the next request; l.mu is held.
func (l *httpLane) write(at time.Time) error {
	body := l.run.body()
	l.out = append(strconv.AppendInt(append(l.out[:0], l.head...), int64(len(body)), 10), "\r\n\r\n"...)
	l.out = append(l.out, body...)
	l.busy, l.at = true, at
	if _, err := l.conn.Write(l.out); err != nil {
		l.broken = true
		return err
	}
	return nil
}

func (l *httpLane) serve() error {
	for {
		problem, err := l.answer()
		if err != nil {
			return l.end(err)
		}
		l.mu.Lock()
		at := l.at
		l.busy = false
		l.mu.Unlock()
		again := l.run.answered(at, problem)
		l.mu.Lock()
		if len(l.waiting) > 0 {
			at, l.waiting, again = l.waiting[0], l.waiting[1:], true
		} else {
			at = time.Now()
		}
		if again && !l.busy && !l.broken {
			if err := l.write(at); err != nil {
				l.mu.Unlock()
				return l.end(err)
			}
		}
		l.mu.Unlock()
	}
}

// end charges what was out or waiting to the connection that broke.
func (l *httpLane) end(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
	if l.busy {
		l.run.answered(l.at, err)
	}
	for _, at := range l.waiting {
		l.run.answered(at, err)
	}
	l.busy, l.waiting = false, nil
	return err
}

// answer reads one reply. problem is what the server says is wrong; err that there
// is no reply.
func (l *httpLane) answer() (problem, err error) {
	line, err := l.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	status := strings.TrimSpace(string(line[min(len(line), len("HTTP/1.1 ")):]))
	ok := bytes.HasPrefix(line, []byte("HTTP/1.1 200"))
	size := -1
	for {
		line, err := l.in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if size, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return nil, fmt.Errorf("reply with Content-Length %q", value)
			}
		} else if bytes.EqualFold(name, []byte("Transfer-Encoding")) {
			size = chunked
		}
	}
	kept, err := l.body(size, !ok)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return fmt.Errorf("status %s: %s", status, kept), nil
	}
	return nil, nil
}

const (
	chunked   = -2
	keptError = 200 // bytes of an error's body
)

// body reads the body of a reply, and returns the beginning of it if keep is set.
func (l *httpLane) body(size int, keep bool) (kept []byte, err error) {
	if size == -1 {
		return nil, fmt.Errorf("reply without a length")
	}
	for {
		part := size
		if size == chunked {
			line, err := l.in.ReadSlice('\n')
			if err != nil {
				return nil, err
			}
			n, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 31)
			if err != nil {
				return nil, fmt.Errorf("reply with a chunk of %q", line)
			}
			part = int(n)
		}
		if keep && len(kept) < keptError {
			head := make([]byte, min(part, keptError))
			if _, err := io.ReadFull(l.in, head); err != nil {
				return nil, err
			}
			kept = append(kept, head...)
			if _, err := l.in.Discard(part - len(head)); err != nil {
				return nil, err
			}
		} else if _, err := l.in.Discard(part); err != nil {
			return nil, err
		}
		if size != chunked {
			return kept, nil
		}
		if _, err := l.in.Discard(len("\r\n")); err != nil {
			return nil, err
		}
		if part == 0 {
			return kept, nil
		}
	}
}

func (l *httpLane) close() error { return l.conn.Close() }
