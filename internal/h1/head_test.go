package h1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

const begin = "POST /rows HTTP/1.1\r\nHost: x\r\n"

// heads are heads by name, with what becomes of them.
var heads = map[string]struct {
	text string
	want verdict
}{
	"plain":                     {begin + "Content-Length: 3\r\n\r\nabc", plain},
	"many headers":              {begin + "content-LENGTH:3 \r\nUser-Agent: a b\tc\r\nX-Empty:\r\nConnection: Keep-Alive\r\n\r\nabc", plain},
	"last request":              {begin + "Connection: close\r\nContent-Length: 0\r\n\r\n", plain},
	"no empty line":             {begin + "Content-Length: 3\r\n", more},
	"half a line":               {begin + "Content-Le", more},
	"half a request line":       {"POST /ro", more},
	"nothing":                   {"", more},
	"half of the method":        {"PO", more},
	"another method":            {"GET / HTTP/1.1\r\n", routed},
	"another method, one byte":  {"G", routed},
	"a line end first":          {"\r\n" + begin + "Content-Length: 3\r\n\r\n", routed},
	"preface of HTTP/2":         {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", routed},
	"TLS":                       {"\x16\x03\x01\x00\xa5\x01", routed},
	"whole address":             {"POST http://x/rows HTTP/1.1\r\n", routed},
	"version 1.0":               {"POST /rows HTTP/1.0\r\n", formed},
	"version 2":                 {"POST /rows HTTP/2.0\r\n", formed},
	"no version":                {"POST /rows\r\n", formed},
	"two spaces":                {"POST /rows  HTTP/1.1\r\n", formed},
	"a tab":                     {"POST /rows\tHTTP/1.1\r\n", formed},
	"a query":                   {"POST /rows?a HTTP/1.1\r\n", formed},
	"an escape":                 {"POST /r%6fws HTTP/1.1\r\n", formed},
	"a path that is not ASCII":  {"POST /rüws HTTP/1.1\r\n", formed},
	"line feed alone":           {"POST /rows HTTP/1.1\nHost: x\n\n", formed},
	"line feed alone, later":    {begin + "Content-Length: 3\n\r\n", formed},
	"carriage return alone":     {begin + "X: a\rb\r\nContent-Length: 3\r\n\r\n", formed},
	"line that is continued":    {begin + "X: a\r\n b\r\nContent-Length: 3\r\n\r\n", formed},
	"space before the colon":    {begin + "Content-Length : 3\r\n\r\n", formed},
	"space before the name":     {"POST /rows HTTP/1.1\r\n Host: x\r\n", formed},
	"no colon":                  {begin + "Content-Length\r\n\r\n", formed},
	"no name":                   {begin + ": 3\r\n\r\n", formed},
	"a null in a value":         {begin + "X: a\x00b\r\n\r\n", formed},
	"a value that is not ASCII": {begin + "X: ü\r\n\r\n", formed},
	"no length":                 {begin + "\r\n", formed},
	"length given twice":        {begin + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", formed},
	"two lengths":               {begin + "Content-Length: 3, 3\r\n\r\n", formed},
	"length with a sign":        {begin + "Content-Length: +3\r\n\r\n", formed},
	"length below 0":            {begin + "Content-Length: -3\r\n\r\n", formed},
	"length with zeros":         {begin + "Content-Length: 03\r\n\r\n", formed},
	"length in hexadecimal":     {begin + "Content-Length: 0x3\r\n\r\n", formed},
	"length without end":        {begin + "Content-Length: 99999999999\r\n\r\n", formed},
	"empty length":              {begin + "Content-Length:\r\n\r\n", formed},
	"chunks":                    {begin + "Transfer-Encoding: chunked\r\n\r\n", formed},
	"chunks and a length":       {begin + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", formed},
	"no Host":                   {"POST /rows HTTP/1.1\r\nContent-Length: 3\r\n\r\n", formed},
	"two Hosts":                 {begin + "Host: x\r\nContent-Length: 3\r\n\r\n", formed},
	"hostile Host":              {"POST /rows HTTP/1.1\r\nHost: x/y\r\n", formed},
	"expect":                    {begin + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", formed},
	"upgrade":                   {begin + "Upgrade: h2c\r\n\r\n", formed},
	"connection of others":      {begin + "Connection: close, x\r\n\r\n", formed},
	"two connections":           {begin + "Connection: close\r\nConnection: keep-alive\r\n\r\n", formed},
	"trailer":                   {begin + "Trailer: x\r\n\r\n", formed},
	"compressed":                {begin + "Content-Encoding: gzip\r\n\r\n", formed},
	"TE":                        {begin + "TE: trailers\r\n\r\n", formed},
	"too many headers":          {begin + strings.Repeat("X: y\r\n", 20) + "\r\n", large},
}

func TestParse(t *testing.T) {
	for name, tc := range heads {
		t.Run(name, func(t *testing.T) {
			var h head
			if got := h.parse([]byte(tc.text), 20); got != tc.want {
				t.Errorf("parse(%q) = %d, want %d", tc.text, got, tc.want)
			}
		})
	}
	var h head
	if v := h.parse([]byte(heads["many headers"].text), 20); v != plain || h.size != len(heads["many headers"].text)-3 || h.length != 3 || h.close || len(h.fields) != 5 {
		t.Errorf("many headers are read as %+v, %d", h, v)
	}
	if v := h.parse([]byte(heads["last request"].text), 20); v != plain || !h.close || h.length != 0 {
		t.Errorf("a last request is read as %+v, %d", h, v)
	}
}

// FuzzHead holds what is taken apart here against net/http: whatever is plain is read
// there as the same request, with the same end, for the same route. Nothing that is not
// whole is plain.
func FuzzHead(f *testing.F) {
	for _, tc := range heads {
		f.Add([]byte(tc.text))
	}
	f.Add([]byte("POST /views/a.b/rows HTTP/1.1\r\nHost: [::1]:80\r\nPragma: no-cache\r\nContent-Length: 1\r\n\r\n12"))
	f.Add([]byte("POST /views/../rows HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n12"))
	f.Add([]byte("POST //rows HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n12"))
	nothing := func(w http.ResponseWriter, r *http.Request) {}
	handlers, mux := map[string]Handler{}, http.NewServeMux()
	for _, pattern := range []string{"POST /rows", "POST /views/{view}/rows", "POST /services/{service}"} {
		handlers[pattern] = nil
		mux.HandleFunc(pattern, nothing)
	}
	routes := newRoutes(handlers)
	f.Fuzz(func(t *testing.T, b []byte) {
		var h, part head
		if h.parse(b, 50) != plain {
			return
		}
		if v := part.parse(b[:h.size-1], 50); v != more {
			t.Fatalf("%q without its last byte is %d, want more", b[:h.size], v)
		}
		in := bytes.NewReader(b)
		buffered := bufio.NewReader(in)
		r, err := http.ReadRequest(buffered)
		if err != nil {
			t.Fatalf("%q is plain; net/http says %v", b[:h.size], err)
		}
		if err := same(b, &h, r); err != nil {
			t.Fatalf("%q: %v", b[:h.size], err)
		}
		if left := in.Len() + buffered.Buffered(); left != len(b)-h.size {
			t.Fatalf("%q ends at %d, for net/http at %d", b, h.size, len(b)-left)
		}
		body, _ := io.ReadAll(r.Body) // it may end early
		if want := b[h.size:min(int64(len(b)), int64(h.size)+h.length)]; !bytes.Equal(body, want) {
			t.Fatalf("%q has the body %q, for net/http %q", b, want, body)
		}
		found, wild := routes.find(b, h.target)
		_, pattern := mux.Handler(r)
		switch {
		case found == nil:
			return // net/http decides
		case pattern == "" || !strings.HasPrefix(pattern, "POST "+found.before):
			t.Fatalf("%q has the route %+v, for net/http %q", h.target.of(b), found, pattern)
		}
		mux.ServeHTTP(discarded{}, r)
		if found.name != "" && r.PathValue(found.name) != string(wild.of(b)) {
			t.Fatalf("%q has %s %q, for net/http %q", h.target.of(b), found.name, wild.of(b), r.PathValue(found.name))
		}
	})
}

type discarded struct{}

func (discarded) Header() http.Header         { return http.Header{} }
func (discarded) WriteHeader(int)             {}
func (discarded) Write(b []byte) (int, error) { return len(b), nil }

// same says how h, which is plain, differs from what net/http read.
func same(b []byte, h *head, r *http.Request) error {
	headers, host := http.Header{}, ""
	for _, f := range h.fields {
		name, value := string(f.name.of(b)), string(f.value.of(b))
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return fmt.Errorf("header %q: %q is not valid", name, value)
		}
		if strings.EqualFold(name, "Host") {
			host = value
			continue
		}
		headers.Add(name, value)
	}
	if values := headers["Pragma"]; len(values) > 0 && values[0] == "no-cache" && headers["Cache-Control"] == nil {
		headers.Set("Cache-Control", "no-cache") // net/http adds it
	}
	target := string(h.target.of(b))
	switch {
	case r.Method != http.MethodPost || r.Proto != "HTTP/1.1":
		return fmt.Errorf("net/http reads %s %s", r.Method, r.Proto)
	case r.RequestURI != target || r.URL.Path != target || r.URL.RawQuery != "" || r.URL.Host != "":
		return fmt.Errorf("the path is %q, for net/http %q, %+v", target, r.RequestURI, r.URL)
	case r.Host != host || !httpguts.ValidHostHeader(host):
		return fmt.Errorf("the host is %q, for net/http %q", host, r.Host)
	case r.ContentLength != h.length || len(r.TransferEncoding) > 0 || r.Trailer != nil:
		return fmt.Errorf("the length is %d, for net/http %d, %v", h.length, r.ContentLength, r.TransferEncoding)
	case r.Close != h.close:
		return fmt.Errorf("close is %v, for net/http %v", h.close, r.Close)
	case !reflect.DeepEqual(map[string][]string(headers), map[string][]string(r.Header)):
		return fmt.Errorf("headers are %q, for net/http %q", headers, r.Header)
	case r.Header.Get("Expect") != "" || r.Header.Get("Upgrade") != "":
		return fmt.Errorf("it wants more than an answer")
	}
	return nil
}

func TestPatterns(t *testing.T) {
	for _, pattern := range []string{"GET /a", "/a", "POST a", "POST /{a", "POST /{a}/{b}", "POST /{a...}", "POST /{}"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("pattern %q is taken", pattern)
				}
			}()
			newRoutes(map[string]Handler{pattern: nil})
		}()
	}
}

func TestFind(t *testing.T) {
	routes := newRoutes(map[string]Handler{"POST /rows": nil, "POST /views/{view}/rows": nil})
	for path, want := range map[string]string{
		"/rows": "/rows ", "/views/a/rows": "/views/ a", "/views/a.b-c/rows": "/views/ a.b-c",
		"/": "", "/rows/": "", "//rows": "", "/Rows": "", "/views//rows": "", "/views/rows": "", "/views/./rows": "", "/views/../rows": "", "/views/a/b/rows": "", "/views/a/rows/": "",
	} {
		got := ""
		if r, wild := routes.find([]byte(path), span{0, uint16(len(path))}); r != nil {
			got = r.before + " " + string(wild.of([]byte(path)))
		}
		if got != want {
			t.Errorf("find(%s) = %q, want %q", path, got, want)
		}
	}
}
