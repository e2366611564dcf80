package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/feature"
)

// serve answers the reads of a connection, each with what answer gives for its key,
// until it ends. It reads on while an answer is being made.
func serve(conn io.ReadWriter, answer func(key string) string) {
	keys := make(chan string, 1000)
	go func() {
		for key := range keys {
			_, _ = io.WriteString(conn, answer(key)) // the reader sees that it has ended
		}
	}()
	defer close(keys)
	var in []byte
	for b := make([]byte, 4096); ; {
		n, err := conn.Read(b)
		if err != nil {
			return
		}
		in = append(in, b[:n]...)
		for size := replyLength(in); size > 0; size = replyLength(in) {
			_, rest, _ := bytes.Cut(in[:size], []byte("HGETALL\r\n"))
			key, _, err := cutBulk(rest)
			if err != nil {
				return
			}
			in = in[size:]
			keys <- string(key)
		}
	}
}

func echoed(key string) string {
	return fmt.Sprintf("*2\r\n$1\r\n\x01\r\n$%d\r\n%s\r\n", len(key), key)
}

// asking makes a question of keys.
func asking(keys ...string) *question {
	q := newQuestion()
	for _, k := range keys {
		q.command = fmt.Appendf(q.command, "*2\r\n$7\r\nHGETALL\r\n$%d\r\n%s\r\n", len(k), k)
	}
	q.keys = len(keys)
	return q
}

// dialled gives a wire to a server in this process, and ends both with the test.
func dialled(t *testing.T, answer func(key string) string) *wire {
	here, there := net.Pipe()
	w, ended := newWire(here, time.Second), make(chan error, 1)
	go func() { ended <- w.run() }()
	go serve(there, answer)
	t.Cleanup(func() {
		w.fail(ErrClosed)
		<-ended
		there.Close()
	})
	return w
}

// TestWire has many callers ask at once; each must get its own answers.
func TestWire(t *testing.T) {
	w := dialled(t, echoed)
	var group sync.WaitGroup
	for caller := range 50 {
		group.Go(func() {
			for i := range 40 {
				keys, want := []string{}, ""
				for n := range i % 7 {
					keys = append(keys, fmt.Sprintf("key %d %d %d", caller, i, n))
					want += echoed(keys[n])
				}
				if len(keys) == 0 {
					continue
				}
				q := asking(keys...)
				if !w.send(q) {
					t.Errorf("send refused %d keys", len(keys))
					return
				}
				if free, err := w.wait(t.Context(), q, time.Minute); err != nil || !free || string(q.answer) != want {
					t.Errorf("answer to %q is %q, %t, %v", keys, q.answer, free, err)
					return
				}
				q.free()
			}
		})
	}
	group.Wait()
	if left := w.keys.Load(); left != 0 {
		t.Errorf("%d keys are out when nobody asks", left)
	}
}

// TestWireGivesUp wants a caller that leaves to harm nobody, and a server that says
// nothing to cost the connection.
func TestWireGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		w := dialled(t, func(key string) string {
			<-hold
			return echoed(key)
		})
		ctx, leave := context.WithCancel(t.Context())
		gone, patient := asking("gone"), asking("patient")
		if !w.send(gone) || !w.send(patient) {
			t.Fatal("send refused a question")
		}
		leave()
		if free, err := w.wait(ctx, gone, time.Second); free || !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that left has %t, %v", free, err)
		}
		close(hold)
		if _, err := w.wait(t.Context(), patient, time.Second); err != nil || string(patient.answer) != echoed("patient") {
			t.Errorf("the one behind it has %q, %v", patient.answer, err)
		}
		hold = make(chan struct{})
		defer close(hold)
		silent, behind := asking("silent"), asking("behind")
		if !w.send(silent) || !w.send(behind) {
			t.Fatal("send refused a question")
		}
		if _, err := w.wait(t.Context(), silent, 2*time.Second); !isConnection(err) {
			t.Errorf("a server that says nothing gives %v", err)
		}
		if _, err := w.wait(t.Context(), behind, time.Hour); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the one behind has %v, want what was wrong", err)
		}
		if w.send(asking("late")) {
			t.Error("a broken connection takes a question")
		}
	})
}

// TestWireDamage wants bytes that are no answers, or answers that nobody asked for,
// to end the connection and every read that waits for it.
func TestWireDamage(t *testing.T) {
	for name, text := range map[string]string{"no answer": "!", "one too many": echoed("x") + echoed("y"), "nested": "*2\r\n*0\r\n*0\r\n", "cut": "*2\r\n$1\r\nxyz\r\n"} {
		t.Run(name, func(t *testing.T) {
			w := dialled(t, func(string) string { return text })
			first, second := asking("x"), asking("z")
			if !w.send(first) {
				t.Fatal("send refused a question")
			}
			_, err := w.wait(t.Context(), first, time.Minute)
			if name != "one too many" && !errors.Is(err, ErrCorrupt) {
				t.Errorf("the answer %q gives %v, want %v", text, err, ErrCorrupt)
			}
			if w.send(second) {
				if _, err := w.wait(t.Context(), second, time.Minute); !errors.Is(err, ErrCorrupt) {
					t.Errorf("the next read has %v, want %v", err, ErrCorrupt)
				}
			}
		})
	}
}

// TestSharedDialsAgain wants connections made in the background, again after they
// broke, and none after the end.
func TestSharedDialsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var servers []net.Conn
		refuse := true
		c := DefaultConfig()
		s := newShared(1, c, "here", slog.New(slog.DiscardHandler), func(context.Context) (net.Conn, error) {
			if refuse {
				return nil, errors.New("refused")
			}
			here, there := net.Pipe()
			go serve(there, echoed)
			servers = append(servers, there)
			return here, nil
		})
		ask := func() *wire {
			q := asking("k")
			w := s.send(q, nil)
			synctest.Wait()
			if w != nil {
				if _, err := w.wait(t.Context(), q, time.Second); err != nil {
					t.Errorf("read: %v", err)
				}
			}
			return w
		}
		for range 2 {
			if ask() != nil {
				t.Error("a read was sent without a connection")
			}
		}
		refuse = false
		time.Sleep(c.MinRetryBackoff)
		if first, second := ask(), ask(); first != nil || second == nil {
			t.Error("no connection was made once it could be, behind a read that took none")
		}
		servers[0].Close()
		synctest.Wait()
		time.Sleep(longestRedial)
		if first, second := ask(), ask(); first != nil || second == nil || len(servers) != 2 {
			t.Errorf("no connection was made again: %d in all", len(servers))
		}
		s.close()
		if ask() != nil || len(servers) != 2 {
			t.Error("a connection was made after the end")
		}
		servers[1].Close()
	})
}

// FuzzReplyLength checks the length of a reply against the decoder: what it measures
// is decoded or refused whole, and no shorter text is complete.
func FuzzReplyLength(f *testing.F) {
	f.Add(answer(feature.Record{Version: 1, EventTime: 2, Seq: 3, Row: []byte("row")}))
	f.Add([]byte("-ERR no\r\n+OK\r\n"))
	f.Add([]byte("*2\r\n$1\r\nx\r\n$3\r\nabc\r\n*0\r\n"))
	f.Add([]byte("*" + strconv.Itoa(1<<40) + "\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := replyLength(b)
		switch {
		case n > len(b) || n < -1:
			t.Fatalf("replyLength(%q) = %d", b, n)
		case n > 0:
			for i := range n {
				if m := replyLength(b[:i]); m > 0 {
					t.Fatalf("replyLength(%q) = %d, but of its first %d bytes %d", b, n, i, m)
				}
			}
			if b[0] == '*' {
				if _, err := decodeChain(b[:n], nil, true); err != nil && !errors.Is(err, ErrCorrupt) {
					t.Fatalf("decodeChain(%q) = %v", b[:n], err)
				}
			}
		default:
			if chain, err := decodeChain(b, nil, true); err == nil {
				t.Fatalf("replyLength(%q) = %d, but it is %v", b, n, chain)
			}
		}
	})
}
