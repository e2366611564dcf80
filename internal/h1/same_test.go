package h1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// conversations are all that clients send on a connection, before they send no more.
var conversations = map[string]string{
	"one":                            post("/echo", "abc"),
	"empty body":                     post("/echo", ""),
	"a segment of the path":          post("/things/a.b/echo", "abc"),
	"a segment with an escape":       post("/things/a%2fb/echo", "abc"),
	"a path to be cleaned":           post("/things/../echo", "abc"),
	"a header":                       post("/echo", "abc", "X-ONE:  two words\t"),
	"a header twice":                 post("/echo", "abc", "X-One: 1", "x-one: 2"),
	"five at once":                   strings.Repeat(post("/echo", "abc"), 5),
	"blank lines between":            post("/echo", "abc") + "\r\n\r\n" + post("/echo", "def"),
	"three blank lines between":      post("/echo", "abc") + "\r\n\r\n\r\n" + post("/echo", "def"),
	"blank line first":               "\r\n" + post("/echo", "abc"),
	"the last one says so":           post("/echo", "abc") + post("/echo", "def", "Connection: close") + post("/echo", "ghi"),
	"keep-alive":                     post("/echo", "abc", "Connection: keep-alive") + post("/echo", "def"),
	"another path between":           post("/echo", "abc") + "GET /health HTTP/1.1\r\nHost: x\r\n\r\n" + post("/echo", "def"),
	"unknown path":                   post("/echo", "abc") + post("/nothing", "abc") + post("/echo", "def"),
	"another method":                 "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
	"version 1.0":                    "POST /echo HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
	"chunks":                         "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + post("/echo", "def"),
	"broken chunks":                  "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	"chunks and a length":            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + post("/echo", "def"),
	"two lengths":                    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
	"length twice":                   "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc" + post("/echo", "def"),
	"no length":                      "POST /echo HTTP/1.1\r\nHost: x\r\n\r\n" + post("/echo", "def"),
	"space before the colon":         "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc",
	"line that is continued":         "POST /echo HTTP/1.1\r\nHost: x\r\nX-One: a\r\n b\r\nContent-Length: 3\r\n\r\nabc" + post("/echo", "def"),
	"line feeds alone":               "POST /echo HTTP/1.1\nHost: x\nContent-Length: 3\n\nabc" + post("/echo", "def"),
	"no host":                        "POST /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
	"two hosts":                      "POST /echo HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 3\r\n\r\nabc",
	"continue":                       "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc" + post("/echo", "def"),
	"unknown expectation":            "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: more\r\nContent-Length: 3\r\n\r\nabc",
	"upgrade":                        "POST /echo HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 3\r\n\r\nabc",
	"no HTTP":                        "hello\r\n\r\n",
	"TLS":                            "\x16\x03\x01\x00\xa5\x01\r\n\r\n",
	"preface of HTTP/2":              "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"a whole address":                "POST http://x/echo HTTP/1.1\r\nHost: y\r\nContent-Length: 3\r\n\r\nabc",
	"a query":                        post("/echo?a=b", "abc"),
	"body ends early":                "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\nabc",
	"large body ends early":          "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + strings.Repeat("a", 200_000),
	"head ends early":                "POST /echo HTTP/1.1\r\nHost: x\r\nContent-",
	"nothing":                        "",
	"a body that fills a buffer":     post("/echo", strings.Repeat("a", fullBuffer-100)) + post("/echo", "def"),
	"a body beyond a buffer":         post("/echo", strings.Repeat("a", fullBuffer)) + post("/echo", "def"),
	"a large body":                   post("/echo", strings.Repeat("a", 300_000)) + post("/echo", "def"),
	"a body beyond the limit":        post("/echo", strings.Repeat("a", 1<<20+1)),
	"a body that is not wanted":      post("/refuse", strings.Repeat("a", 100_000)) + post("/echo", "def"),
	"a large body not wanted":        post("/refuse", strings.Repeat("a", 300_000)),
	"a body not wanted, ends early":  "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\nabc",
	"a long head":                    post("/echo", "abc", "X-Long: "+strings.Repeat("x", 10_000)) + post("/echo", "def"),
	"a head beyond the limit":        post("/echo", "abc", "X-Long: "+strings.Repeat("x", 30_000)),
	"a head near the limit":          post("/echo", "abc", "X-Long: "+strings.Repeat("x", 16<<10)) + post("/echo", "def"),
	"many headers":                   post("/echo", "abc", slices.Repeat([]string{"X: y"}, 60)...) + post("/echo", "def"),
	"a panic":                        post("/echo", "abc") + post("/panic", "abc") + post("/echo", "def"),
	"large answers":                  post("/give", "1000000") + post("/give", "0") + post("/give", "70000"),
	"a form of every kind":           post("/echo", "abc") + get("/health") + post("/echo", "d") + "HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n" + chunked("3\r\nabc\r\n0a\r\n0123456789\r\n0\r\n\r\n") + post("/echo", "def") + chunkExtension + post("/echo", "ghi"),
	"blank lines after a GET":        get("/health") + "\r\n" + post("/echo", "abc"),
	"blank lines after a PUT":        "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\r\n" + post("/echo", "abc"),
	"blank lines after chunks":       chunked("3\r\nabc\r\n0\r\n\r\n\r\n\r\n") + post("/echo", "abc"),
	"a GET with a body":              "GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + post("/echo", "abc"),
	"a GET with chunks":              "GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + post("/echo", "abc"),
	"a GET that is the last":         "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + post("/echo", "abc"),
	"five GETs at once":              strings.Repeat(get("/health"), 5),
	"a body beside not wanted":       post("/refuse?x", strings.Repeat("a", 100_000)) + post("/echo", "def"),
	"a large body beside not wanted": post("/refuse?x", strings.Repeat("a", 300_000)) + post("/echo", "def"),
	"a large body beside":            post("/echo?x", strings.Repeat("a", 300_000)) + post("/echo", "def"),
	"a body beside beyond the limit": post("/echo?x", strings.Repeat("a", 1<<20+1)),
	"a body beside ends early":       "POST /echo?x HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\nabc",
	"chunks that end early":          chunked("3\r\nabc\r\n"),
	"chunks in large sizes":          chunked("fffffffffffffffff\r\nabc\r\n") + post("/echo", "abc"),
	"chunks with a trailer":          chunked("3\r\nabc\r\n0\r\nX: y\r\n\r\n") + post("/echo", "abc"),
	"chunks with line feeds":         chunked("3\nabc\n0\n\n") + post("/echo", "abc"),
	"chunks with spaces":             chunked("3 \r\nabc\r\n0\r\n\r\n") + post("/echo", "abc"),
	"a chunk longer than it says":    chunked("3\r\nabcd\r\n0\r\n\r\n") + post("/echo", "abc"),
	"an empty chunk size":            chunked("\r\nabc\r\n0\r\n\r\n") + post("/echo", "abc"),
	"chunks and a length, reversed":  "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + post("/echo", "def"),
	"chunks twice":                   "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + post("/echo", "def"),
	"chunks of a coding":             "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + post("/echo", "def"),
	"an unwanted continue":           "POST /refuse HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc" + post("/echo", "def"),
	"a panic beside":                 post("/echo", "abc") + post("/panic?x", "abc") + post("/echo", "def"),
	"a tunnel":                       "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n" + post("/echo", "def"),
	"a target of an asterisk":        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" + post("/echo", "def"),
	"a method in small letters":      "get /health HTTP/1.1\r\nHost: x\r\n\r\n" + post("/echo", "def"),
	"an escape that is none":         "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n" + post("/echo", "def"),
	"a GET without a host":           "GET /health HTTP/1.1\r\n\r\n" + post("/echo", "def"),
	"a GET ends early":               "GET /health HTTP/1.1\r\nHost: ",
	"smuggled in a GET":              "GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + post("/echo", "def"),
	"smuggled in a length":           "GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc" + post("/echo", "def"),
	"smuggled in a chunk size":       chunked("3;\nx\r\nabc\r\n0\r\n\r\n") + post("/echo", "def"),
	"smuggled behind the last chunk": chunked("0\r\nContent-Length: 3\r\n\r\n") + post("/echo", "def"),
	"smuggled by a line feed":        "POST /echo HTTP/1.1\r\nHost: x\r\nX: a\nContent-Length: 0\r\nContent-Length: 60\r\n\r\n" + post("/echo", "def"),
	"smuggled by a carriage return":  "POST /echo HTTP/1.1\r\nHost: x\r\nX: a\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + post("/echo", "def"),
	"smuggled by a name":             "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + post("/echo", "def"),
	"smuggled by a space":            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + post("/echo", "def"),
	"smuggled by another coding":     "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + post("/echo", "def"),
	"smuggled by a null":             "POST /echo HTTP/1.1\r\nHost: x\r\nX: \x00\r\nContent-Length: 3\r\n\r\nabc",
	"smuggled by a header in a body": post("/echo", "POST /echo HTTP/1.1\r\nHost: x\r\n\r\n"),
}

// chunkExtension is a request with a chunk that has an extension, after which net/http
// keeps the connection.
const chunkExtension = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n"

func chunked(body string) string {
	return "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body
}

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n" }

// TestSame has each conversation with both servers: they answer alike.
func TestSame(t *testing.T) {
	at := newSite(t, config())
	for name, text := range conversations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, want := converse(t, at.addr, text), converse(t, at.plain, text); got != want {
				t.Errorf("%.200q is answered with\n%.600s\nby net/http with\n%.600s", text, got, want)
			}
		})
	}
}

// FuzzSame does so with any bytes.
func FuzzSame(f *testing.F) {
	for _, text := range conversations {
		if len(text) < 4000 {
			f.Add([]byte(text))
		}
	}
	at := newSite(f, config())
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Contains(b, []byte("/p")) || bytes.Contains(b, []byte("/g")) {
			return // parks, or gives too much
		}
		if got, want := converse(t, at.addr, string(b)), converse(t, at.plain, string(b)); got != want {
			t.Errorf("%q is answered with\n%s\nby net/http with\n%s", b, got, want)
		}
	})
}

// converse sends text and no more, and returns all answers, without their dates.
func converse(t testing.TB, addr, text string) string {
	t.Helper()
	conn := dial(t, addr)
	defer conn.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(conn, text) // whoever is refused may be cut off
		_ = conn.CloseWrite()
	}()
	out := answersOf(bufio.NewReader(conn))
	conn.Close()
	<-sent
	return out
}

func answersOf(r *bufio.Reader) string {
	var out strings.Builder
	for {
		response, err := http.ReadResponse(r, nil)
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				fmt.Fprintf(&out, "%v\n", err)
			}
			return out.String()
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if response.Header.Get("Date") == "" && response.StatusCode == http.StatusOK {
			fmt.Fprintf(&out, "no date\n")
		}
		response.Header.Del("Date")
		if string(body) == io.ErrUnexpectedEOF.Error() {
			response.Close = true // of a client that sends no more
		}
		fmt.Fprintf(&out, "%s %v close=%v length=%d %v %q\n", response.Status, sorted(response.Header), response.Close, response.ContentLength, err, body)
	}
}

func sorted(h http.Header) (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		lines = append(lines, fmt.Sprintf("%s: %q", name, h[name]))
	}
	return lines
}
