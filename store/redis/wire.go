package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const (
	wireRounds  = 4              // writes that a caller makes for others before it hands on
	wireKeys    = 8192           // keys that may be out on a connection; reads beyond take one of the pool
	wireEager   = 256            // keys out on a connection from which on the next one is used
	wireBuffer  = 32 << 10       // bytes that are read at once
	wireKept    = 1 << 20        // bytes of the largest buffer that is kept
	wireSilence = breakerSilence // without a byte, while something is asked, after which the connection is given up
	questionKey = 1024           // keys of the largest read that shares a connection
)

// wire is a connection over which the reads of many callers go. Callers append to
// what is to be written, and the first of them writes for all, so that under load
// many reads are one packet; answers come in the order of the questions. What one
// caller gives up is read all the same, for nobody.
type wire struct {
	conn         net.Conn
	writeTimeout time.Duration
	pace         *pace        // of the shard
	keys         atomic.Int64 // that are out
	heard        atomic.Int64 // when bytes came last, or were first waited for, Unix nanoseconds

	mu         sync.Mutex
	out, spare []byte // what is to be written, and the memory of what was
	until      time.Time
	writing    bool
	asked      []*question // that the reader has not taken
	err        error       // why it is of no use any more
	group      sync.WaitGroup
}

// question is one caller's read.
type question struct {
	command []byte // as it is sent
	keys    int
	sent    int64  // when, Unix nanoseconds
	left    int    // answers that are not complete; of the reader
	answer  []byte // as it comes
	done    chan error
	timer   *time.Timer
}

var questions = sync.Pool{New: func() any { return newQuestion() }}

func newQuestion() *question {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &question{done: make(chan error, 1), timer: timer}
}

// free puts q back, of which nobody else knows any more.
func (q *question) free() {
	if cap(q.command) <= wireKept && cap(q.answer) <= wireKept {
		q.command, q.answer, q.keys = q.command[:0], q.answer[:0], 0
		questions.Put(q)
	}
}

func newWire(conn net.Conn, writeTimeout time.Duration) *wire {
	return &wire{conn: conn, writeTimeout: writeTimeout}
}

// run hands out answers until the connection fails, and returns why.
func (w *wire) run() error {
	err := w.read()
	w.group.Wait() // for those who write; they see that it has failed
	return err
}

// send writes q, or has it written by whoever writes now. It returns false if the
// connection is full or broken; q is the caller's then.
func (w *wire) send(q *question) bool {
	q.left, q.sent = q.keys, time.Now().UnixNano()
	w.mu.Lock()
	if w.err != nil || w.keys.Load()+int64(q.keys) > wireKeys {
		w.mu.Unlock()
		return false
	}
	if w.keys.Add(int64(q.keys)) == int64(q.keys) {
		w.heard.Store(q.sent)
	}
	w.asked = append(w.asked, q)
	w.out = append(w.out, q.command...)
	mine := !w.writing
	w.writing = true
	w.mu.Unlock()
	if mine {
		runtime.Gosched() // those who are about to ask go with it
		w.flush()
	}
	return true
}

// flush writes until there is nothing left; w.writing is the caller's.
func (w *wire) flush() {
	var written []byte
	for round := 0; ; round++ {
		w.mu.Lock()
		if written != nil && cap(written) <= wireKept {
			w.spare = written[:0]
		}
		if len(w.out) == 0 || w.err != nil {
			w.writing = false
			w.mu.Unlock()
			return
		}
		if round == wireRounds {
			w.group.Go(w.flush)
			w.mu.Unlock()
			return
		}
		written, w.out, w.spare = w.out, w.spare, nil
		late := false
		if now := time.Now(); w.until.Sub(now) < w.writeTimeout {
			w.until, late = now.Add(2*w.writeTimeout), true
		}
		until := w.until
		w.mu.Unlock()
		if late {
			// One that cannot be set is one of a connection that cannot be written to.
			_ = w.conn.SetWriteDeadline(until)
		}
		if _, err := w.conn.Write(written); err != nil {
			w.fail(fmt.Errorf("write: %w", err))
		}
	}
}

// wait waits for the answer to q for at most limit. If there is one, or will be none,
// q is the caller's again; otherwise free is false. A connection that was silent for
// less than wireSilence is kept: a stall of this process, in which many reads run out of
// time at once, is no fault of it.
func (w *wire) wait(ctx context.Context, q *question, limit time.Duration) (free bool, err error) {
	return w.waitOr(ctx, q, limit, nil)
}

// errOther reports that what was waited for beside an answer came first.
var errOther = errors.New("there is another answer")

// waitOr is wait until other is closed, which is errOther.
func (w *wire) waitOr(ctx context.Context, q *question, limit time.Duration, other <-chan struct{}) (free bool, err error) {
	q.timer.Reset(limit)
	defer q.timer.Stop()
	select {
	case err := <-q.done:
		return true, err
	case <-ctx.Done():
		return false, ctx.Err()
	case <-other:
		return false, errOther
	case <-q.timer.C:
	}
	if w.silent(time.Now()) >= wireSilence {
		w.fail(os.ErrDeadlineExceeded)
	}
	return false, os.ErrDeadlineExceeded
}

// silent is for how long there was nothing, if something is asked.
func (w *wire) silent(now time.Time) time.Duration { return now.Sub(time.Unix(0, w.heard.Load())) }

// fail makes the connection of no use; whoever waits for an answer is told why.
func (w *wire) fail(err error) {
	w.mu.Lock()
	first := w.err == nil
	if first {
		w.err = err
	}
	w.mu.Unlock()
	if first {
		_ = w.conn.Close() // it is given up
	}
}

func (w *wire) read() error {
	buf := make([]byte, 0, wireBuffer)
	var waiting queue
	for {
		if len(buf) > maxAnswer {
			w.fail(fmt.Errorf("answer longer than %d bytes: %w", maxAnswer, ErrCorrupt))
		}
		n, err := w.conn.Read(buf[len(buf):cap(buf)])
		if buf = buf[:len(buf)+n]; n > 0 {
			w.heard.Store(time.Now().UnixNano())
			used, damaged := w.deliver(buf, &waiting)
			buf = roomy(buf, used)
			if damaged != nil {
				err = damaged
			}
		}
		if err == nil {
			continue
		}
		w.fail(fmt.Errorf("read: %w", err))
		w.mu.Lock()
		left := append(waiting.list[waiting.head:], w.asked...)
		err, w.asked = w.err, nil
		w.mu.Unlock()
		for _, q := range left {
			q.done <- err
		}
		return err
	}
}

// queue is the questions whose answers the reader waits for, in order.
type queue struct {
	list []*question
	head int
}

// first returns the one whose answer comes next; nil if nobody asks. Those that
// were asked meanwhile are taken over at once.
func (w *wire) first(waiting *queue) *question {
	if waiting.head == len(waiting.list) {
		w.mu.Lock()
		waiting.list, w.asked = w.asked, waiting.list[:0]
		w.mu.Unlock()
		waiting.head = 0
		if len(waiting.list) == 0 {
			return nil
		}
	}
	return waiting.list[waiting.head]
}

// deliver gives what is complete in b to those who wait, and returns how much it is.
func (w *wire) deliver(b []byte, waiting *queue) (used int, err error) {
	for used < len(b) {
		q := w.first(waiting)
		if q == nil {
			return used, fmt.Errorf("%d bytes that nobody asked for: %w", len(b)-used, ErrCorrupt)
		}
		from := used
		for q.left > 0 {
			n := replyLength(b[used:])
			if n < 0 {
				return used, fmt.Errorf("answer %.32q: %w", b[used:], ErrCorrupt)
			}
			if n == 0 {
				break
			}
			used += n
			q.left--
		}
		q.answer = append(q.answer, b[from:used]...)
		if q.left > 0 {
			return used, nil
		}
		w.keys.Add(-int64(q.keys))
		w.pace.answered(w.heard.Load() - q.sent)
		waiting.list[waiting.head] = nil
		waiting.head++
		q.done <- nil
	}
	return used, nil
}

// roomy returns buf without its first bytes, which were used, with room for more.
func roomy(buf []byte, used int) []byte {
	rest := len(buf) - used
	switch {
	case rest == 0 && cap(buf) > wireKept:
		return make([]byte, 0, wireBuffer)
	case rest > 0 && rest >= cap(buf)/2:
		return append(make([]byte, 0, 2*cap(buf)), buf[used:]...)
	}
	return buf[:copy(buf, buf[used:])]
}

// dialWire connects as o says. What a connection of go-redis does at first is done
// here by hand: it tells who it is, and chooses the database.
func dialWire(ctx context.Context, o *goredis.Options) (conn net.Conn, err error) {
	conn, err = o.Dialer(ctx, o.Network, o.Addr)
	if err != nil {
		return nil, err
	}
	var hello []byte
	n := 0
	say := func(words ...string) {
		n++
		hello = append(strconv.AppendInt(append(hello, '*'), int64(len(words)), 10), "\r\n"...)
		for _, word := range words {
			hello = append(strconv.AppendInt(append(hello, '$'), int64(len(word)), 10), "\r\n"...)
			hello = append(append(hello, word...), "\r\n"...)
		}
	}
	switch {
	case o.Username != "":
		say("AUTH", o.Username, o.Password)
	case o.Password != "":
		say("AUTH", o.Password)
	}
	if o.DB != 0 {
		say("SELECT", strconv.Itoa(o.DB))
	}
	if n == 0 {
		return conn, nil
	}
	end, ok := ctx.Deadline()
	if !ok {
		end = time.Now().Add(o.DialTimeout)
	}
	if err := errors.Join(conn.SetDeadline(end), greet(conn, hello, n), conn.SetDeadline(time.Time{})); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// greet sends hello and wants n answers, none of them an error.
func greet(conn io.ReadWriter, hello []byte, n int) error {
	if _, err := conn.Write(hello); err != nil {
		return err
	}
	var answer []byte
	for n > 0 {
		var b [256]byte
		got, err := conn.Read(b[:])
		if err != nil {
			return err
		}
		answer = append(answer, b[:got]...)
		for size := replyLength(answer); size != 0 && n > 0; size = replyLength(answer) {
			if size < 0 || answer[0] != '+' {
				return serverError(bytes.TrimSpace(answer[1:]))
			}
			answer, n = answer[size:], n-1
		}
	}
	return nil
}
