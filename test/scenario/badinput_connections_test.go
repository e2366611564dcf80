package scenario

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// waits asks for news that do not come.
func (h *house) waits(t *testing.T) {
	for name, path := range map[string]string{
		"a window":        "/windows?start=2030-01-01T00:00:00Z&wait=50ms",
		"any window":      "/windows?wait=50ms",
		"another verdict": "/verdicts?after=999999&wait=50ms",
	} {
		t.Run(name, func(t *testing.T) {
			a := h.call(http.MethodGet, "/api/v1/views/typed"+path, "")
			if p, ok := a.problem(); !ok || a.status != 408 || !strings.Contains(p.Message, "no news within 50ms") {
				t.Errorf("%s: %s, want 408 with no news", path, a)
			}
		})
	}
}

// badConnections holds connections open, breaks them, or speaks something else.
func (h *house) badConnections(t *testing.T) {
	addr := strings.TrimPrefix(*h.base.Load(), "http://")
	post := "POST /api/v1/views/typed/rows HTTP/1.1\r\nHost: x\r\n"
	for name, tc := range map[string]struct {
		text string
		half bool   // of the connection is closed after the text
		want string // start of the answer
	}{
		"body ends early":       {post + "Content-Length: 100\r\n\r\n{\"keys\"", true, "HTTP/1.1 400"},
		"no HTTP":               {"\x16\x03\x01\x00\x00hello\r\n\r\n", false, "HTTP/1."},
		"two lengths":           {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", false, "HTTP/1.1 400"},
		"negative length":       {post + "Content-Length: -5\r\n\r\n{}", false, "HTTP/1.1 400"},
		"broken chunks":         {post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", false, "HTTP/1.1 400"},
		"headers of 64 KiB":     {post + "X: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", false, "HTTP/1.1 431"},
		"headers never end":     {post, false, ""},
		"one byte and no more":  {"G", false, ""},
		"path with a line feed": {"GET /api/v1/a\nb HTTP/1.1\r\nHost: x\r\n\r\n", false, "HTTP/1.1 400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			begun := time.Now()
			if err := conn.SetDeadline(begun.Add(12 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, tc.text); err != nil {
				t.Logf("write: %v", err)
			}
			if tc.half {
				if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			line, err := bufio.NewReader(conn).ReadString('\n')
			took := time.Since(begun)
			if tc.want != "" && !strings.HasPrefix(line, tc.want) {
				t.Errorf("answer %q (%v), want %s", line, err, tc.want)
			}
			if took > 8*time.Second || tc.want == "" && took < 4*time.Second {
				t.Errorf("cut after %s, want about 5 s for headers that do not come and less for others", took)
			}
		})
	}
}
