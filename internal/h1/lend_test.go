package h1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// between are requests that net/http answers, with the connections' way after them.
var between = map[string]struct {
	text string
	back bool // it comes back
}{
	"GET":                  {get("/health"), true},
	"HEAD":                 {"HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n", true},
	"nothing there":        {get("/nothing"), true},
	"PUT":                  {"PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", true},
	"a query":              {post("/echo?x", "abc"), true},
	"compressed":           {post("/echo", "abc", "Content-Encoding: gzip"), true},
	"chunks":               {chunked("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), true},
	"no length":            {"POST /echo HTTP/1.1\r\nHost: x\r\n\r\n", true},
	"a chunk's extension":  {chunkExtension, false},
	"a trailer":            {chunked("3\r\nabc\r\n0\r\nX: y\r\n\r\n"), false},
	"a line feed":          {"GET /health HTTP/1.1\nHost: x\r\n\r\n", false},
	"an upgrade":           {"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", false},
	"a name that is ASCII": {"GET /health HTTP/1.1\r\nHost: x\r\nX: \xfc\r\n\r\n", false},
}

// TestLend has net/http answer a request between two that are answered here, split in many
// places: the second is answered here if the connection comes back.
func TestLend(t *testing.T) {
	for name, tc := range between {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := newSite(t, config())
			text := post("/echo", "abc") + tc.text + post("/echo", "def")
			want, n := converse(t, at.plain, text), int64(0)
			for i := 0; i < len(text); i += step(name) {
				n++
				conn := dial(t, at.addr)
				if _, err := io.WriteString(conn, text[:i]); err != nil {
					t.Fatal(err)
				}
				runtime.Gosched() // lets the server read that much, as a rule
				if _, err := io.WriteString(conn, text[i:]); err != nil {
					t.Fatal(err)
				}
				in := bufio.NewReader(conn)
				if name == "HEAD" {
					answerOf(t, in)
					if response, err := http.ReadResponse(in, &http.Request{Method: http.MethodHead}); err != nil || response.StatusCode != 200 {
						t.Fatalf("split at %d: %v, %v", i, response, err)
					}
				}
				conn.CloseWrite()
				if got := answersOf(in); name != "HEAD" && got != want {
					t.Fatalf("split at %d:\n%s\nwant\n%s", i, got, want)
				}
				conn.Close()
			}
			left := func() int64 { return at.counts[StatOther].Load() + at.counts[StatUnusual].Load() }
			own, leave := 2*n, int64(0)
			if !tc.back {
				own, leave = n, n
			}
			// A connection that is kept is counted when it is known, which its client may be told before.
			limit := time.After(5 * time.Second)
			for tick := time.Tick(time.Millisecond); left() < leave; {
				select {
				case <-tick:
					continue
				case <-limit:
				}
				break
			}
			if at.own.Load() != own || left() != leave {
				t.Errorf("of %d requests in %d conversations %d were answered here, %d connections left; %d were lent", 3*n, n, at.own.Load(), left(), at.counts[StatLent].Load())
			}
		})
	}
}

// step is the distance of two splits.
func step(name string) int {
	if name == "GET" || name == "chunks" {
		return 1
	}
	return 7
}

// TestLentHangUp wants a request that net/http answers to end when its client hangs up, and
// its connection to be forgotten.
func TestLentHangUp(t *testing.T) {
	at := newSite(t, config())
	conn := dial(t, at.addr)
	if _, err := io.WriteString(conn, post("/park", "", "TE: trailers")); err != nil {
		t.Fatal(err)
	}
	<-at.parked
	conn.Close()
	for at.open() > 0 {
		runtime.Gosched()
	}
}

// open returns how many connections there are, those that net/http has for good apart.
func (s *Server) open() int {
	return len(s.conns.Append(nil))
}

// FuzzExtent holds where a request is found to end against net/http: whatever has an extent
// that it takes ends there for it too, however it is split.
func FuzzExtent(f *testing.F) {
	for _, tc := range between {
		f.Add([]byte(tc.text), 10)
	}
	for _, text := range conversations {
		if len(text) < 2000 {
			f.Add([]byte(text), 40)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, split int) {
		var e extent
		if e.measure(b, 50) != plain {
			return
		}
		pieces := e
		n := e.take(b)
		split = min(max(split, 0), len(b))
		k := pieces.take(b[:split])
		if k == split {
			k += pieces.take(b[split:])
		}
		if k != n || pieces.ended() != e.ended() || pieces.state != e.state {
			t.Fatalf("%q is taken up to %d, %+v, split at %d up to %d, %+v", b, n, e, split, k, pieces)
		}
		if e.state == doubt {
			return // net/http keeps it
		}
		in := bytes.NewReader(b)
		buffered := bufio.NewReader(in)
		r, err := http.ReadRequest(buffered)
		if err != nil {
			return // it closes the connection
		}
		if (r.Method == "POST") != e.post {
			t.Fatalf("%q has the method %s, POST: %v", b, r.Method, e.post)
		}
		_, err = io.Copy(io.Discard, r.Body)
		switch left := in.Len() + buffered.Buffered(); {
		case !e.ended():
			if err == nil && !strings.Contains(r.Header.Get("Connection"), "close") {
				t.Fatalf("%q does not end; for net/http at %d", b, len(b)-left)
			}
		case err != nil:
			return // it closes the connection
		case left != len(b)-n:
			t.Fatalf("%q ends at %d, for net/http at %d", b, n, len(b)-left)
		case len(r.Trailer) > 0:
			t.Fatalf("%q has a trailer", b)
		}
	})
}
