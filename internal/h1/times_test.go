package h1

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener of connections in memory, whose times are those of a bubble.
type pipes struct{ *handoff }

func (p pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.give(theirs)
	return ours
}

// inBubble calls fn with a server whose clock is the bubble's.
func inBubble(t *testing.T, fn func(t *testing.T, at *site, p pipes)) {
	synctest.Test(t, func(t *testing.T) {
		at, _ := unserved(config())
		p := pipes{newHandoff()}
		served := make(chan error, 1)
		go func() { served <- at.Serve(p) }()
		fn(t, at, p)
		at.Close()
		if err := <-served; !errors.Is(err, ErrClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
}

// drip sends text, and then a byte of more each second, until the connection ends.
func drip(conn net.Conn, text, more string) {
	if _, err := io.WriteString(conn, text); err != nil {
		return
	}
	for i := 0; ; i++ {
		time.Sleep(time.Second) // of the bubble's clock
		if _, err := io.WriteString(conn, more[i%len(more):][:1]); err != nil {
			return
		}
	}
}

// TestSlow sends requests a byte a second: whoever has them, heads and bodies have the
// time from their beginning, as with net/http alone.
func TestSlow(t *testing.T) {
	c := config()
	for name, tc := range map[string]struct {
		first      string // a whole request before, after which a while passes
		text, more string
		took       time.Duration
		status     int // 0: no answer
	}{
		"nothing":                {"", "", "", c.Handshake, 0},
		"a head":                 {"", "", post("/echo", "abc"), c.Handshake, 400},
		"headers":                {"", "POST /echo HTTP/1.1\r\nHost: x\r\nX: ", "x", c.Handshake, 0},
		"a head of net/http":     {"", "GET /health HTTP/1.1\r\nHost: x\r\nX: ", "x", c.Handshake, 0},
		"a path of net/http":     {"", "", "GET /health HTTP/1.1\r\n", c.Handshake, 400},
		"a second head":          {post("/echo", "abc"), "POST", post("/echo", "abc")[4:], c.Handshake, 400},
		"a second of net/http":   {post("/echo", "abc"), "GET /health HTTP/1.1\r\nHost: x\r\nX: ", "x", c.Handshake, 0},
		"a body":                 {"", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", "x", c.Arrive, 422},
		"a large body":           {"", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "x", c.Arrive, 422},
		"a body of net/http":     {"", "POST /echo?x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", "x", c.Arrive, 422},
		"chunks of net/http":     {"", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n", "x", c.Arrive, 422},
		"a body after a head":    {"", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r", "\nx", c.Arrive, 422},
		"chunks after a head":    {"", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r", "\n64\r\nxxxxxxxxx", c.Arrive, 422},
		"a body nobody wants":    {"", "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", "x", c.Arrive, 401},
		"a second body":          {post("/echo", "abc"), "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", "x", c.Arrive, 422},
		"a second of net/http's": {"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", "GET /health HTTP/1.1\r\nHost: x\r\nX: ", "x", c.Handshake, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, at *site, p pipes) {
				conn := p.dial()
				defer conn.Close()
				in := bufio.NewReader(conn)
				if tc.first != "" {
					go func() { _, _ = io.WriteString(conn, tc.first) }() // the answer says whether it came
					if got := read(in); got != 200 {
						t.Fatalf("the first request is answered with %d", got)
					}
					time.Sleep(30 * time.Second) // longer than a request may take
				}
				begun := time.Now()
				var dripping sync.WaitGroup
				if tc.text != "" || tc.more != "" {
					dripping.Go(func() { drip(conn, tc.text, tc.more) })
				}
				got, took := read(in), time.Since(begun)
				conn.Close()
				dripping.Wait()
				if got != tc.status || took < tc.took || took > tc.took+time.Second {
					t.Errorf("ended with %d after %s, want %d after %s", got, took, tc.status, tc.took)
				}
			})
		})
	}
}

// read reads an answer and returns its status; 0 if the connection ends.
func read(in *bufio.Reader) int {
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0
	}
	return response.StatusCode
}

// TestIdle wants a connection to live while it is used, and a while longer.
func TestIdle(t *testing.T) {
	inBubble(t, func(t *testing.T, at *site, p pipes) {
		conn := p.dial()
		defer conn.Close()
		in := bufio.NewReader(conn)
		for i := range 20 {
			if _, err := io.WriteString(conn, post("/echo", "abc")); err != nil {
				t.Fatal(err)
			}
			if got := read(in); got != 200 {
				t.Fatalf("request %d is answered with %d", i, got)
			}
			time.Sleep(time.Duration(i) * 3 * time.Second) // up to a little less than Idle
		}
		begun := time.Now().Add(-57 * time.Second)
		if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("an idle connection reads %v, want its end", err)
		}
		if took := time.Since(begun); took < time.Minute || took > time.Minute+idleSlack {
			t.Errorf("it ended after %s, want %s to %s", took, time.Minute, time.Minute+idleSlack)
		}
	})
}

// TestDeaf reads nothing of an answer: the connection ends.
func TestDeaf(t *testing.T) {
	inBubble(t, func(t *testing.T, at *site, p pipes) {
		conn := p.dial()
		defer conn.Close()
		begun := time.Now()
		if _, err := io.WriteString(conn, strings.Repeat(post("/give", "100000"), 3)); err != nil {
			t.Fatal(err)
		}
		for err := error(nil); err == nil; {
			time.Sleep(time.Second)
			_, err = io.WriteString(conn, post("/echo", "abc"))
		}
		if took, most := time.Since(begun), 2*config().WriteTimeout+2*time.Second; took > most {
			t.Errorf("it ended after %s, want within %s", took, most)
		}
	})
}
