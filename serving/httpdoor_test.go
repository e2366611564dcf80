package serving

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/feature"
	"sluice/internal/auth"
	"sluice/internal/h1"
)

// doors serves f by the door of our own, and by net/http alone, until the test ends.
func (f *fixture) doors(t testing.TB) (own, plain string) {
	t.Helper()
	door, server := f.NewHTTPDoor(NewHTTPServer(f.config, f.HTTP())), NewHTTPServer(f.config, f.HTTP())
	ls, done := [2]net.Listener{}, make(chan error, 2)
	for i, serve := range []func(net.Listener) error{door.Serve, server.Serve} {
		var err error
		if ls[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		go func() { done <- serve(ls[i]) }()
	}
	t.Cleanup(func() {
		door.Close()
		server.Close()
		for range 2 {
			if err := <-done; !errors.Is(err, h1.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		}
	})
	return ls[0].Addr().String(), ls[1].Addr().String()
}

// posted sends a request by itself and returns its answer, without the date.
func posted(t testing.TB, addr, path, body string, headers ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	length := fmt.Sprintf("Content-Length: %d", len(body))
	cut := slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Content-Length") })
	if cut {
		length = "X-Nothing: "
	}
	lines := append([]string{"POST " + path + " HTTP/1.1", "Host: x", length}, headers...)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"+body) // whoever is refused may be cut off
		if cut {                                                                 // or net/http gives up what it reads
			_ = conn.(*net.TCPConn).CloseWrite()
		}
	}()
	defer func() { <-sent }()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	if response.Header.Get("Date") == "" && response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%s is answered without a date", path)
	}
	response.Header.Del("Date")
	out := fmt.Sprintf("%s, last: %v\n", response.Status, response.Close)
	for _, name := range slices.Sorted(maps.Keys(response.Header)) {
		if name != "Content-Length" || response.StatusCode == 200 { // net/http sends long errors in chunks
			out += fmt.Sprintf("%s: %q\n", name, response.Header[name])
		}
	}
	return out + string(text)
}

// TestDoorsAlike asks both doors the same: they answer byte for byte alike.
func TestDoorsAlike(t *testing.T) {
	f := newFixture(t, func(c *Config, _ *Deps) { c.Lease = time.Minute })
	f.write(t, "drivers", 1, ago(time.Minute), driver(7), values...)
	f.write(t, "drivers", 1, ago(25*time.Hour), driver(8), values...)
	for _, name := range []string{"a", "ü", ""} {
		f.write(t, "users", 1, ago(time.Minute), user(name), float(1), float(-0.5), float(1e300), feature.Null, float(3))
	}
	f.write(t, "pairs", 1, ago(time.Hour), append(driver(7), user("a")...), float(1), float(2))
	own, plain := f.doors(t)
	const feast, rows, drivers, service, several = "/get-online-features", "/api/v1/views/users/rows", "/api/v1/views/drivers/rows", "/api/v1/services/model/rows", "/api/v1/rows"
	many := func(item string, n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	for name, tc := range map[string]struct {
		path, body string
		headers    []string
	}{
		"feast":                       {feast, `{"features":["users:f00","drivers:city"],"entities":{"user_id":["a","b"],"driver_id":[7,8]}}`, nil},
		"feast, full names":           {feast, `{"features":["users:f00","pairs:f00"],"entities":{"user_id":["a"],"driver_id":[7]},"full_feature_names":true}`, nil},
		"feast, a service":            {feast, `{"feature_service":"model","entities":{"user_id":["a"],"driver_id":[7]}}`, nil},
		"feast, every type":           {feast, `{"features":["drivers:rate","drivers:share","drivers:trips","drivers:grade","drivers:city","drivers:raw","drivers:active","drivers:seen","drivers:meta","drivers:tags","drivers:scores"],"entities":{"driver_id":[7,8,9]}}`, nil},
		"feast, a thousand":           {feast, `{"features":["users:f00","users:f01"],"entities":{"user_id":` + many(`"a"`, 1000) + `}}`, nil},
		"feast, too many":             {feast, `{"features":["users:f00"],"entities":{"user_id":` + many(`"a"`, 1001) + `}}`, nil},
		"feast, escapes":              {feast, `{"fe\u0061tures":["users:f0\u0030"],"entities":{"user\u005fid":["\u00fc","\n"]}}`, nil},
		"feast, unknown feature":      {feast, `{"features":["users:f99"],"entities":{"user_id":["a"]}}`, nil},
		"feast, unknown view":         {feast, `{"features":["user:f00"],"entities":{"user_id":["a"]}}`, nil},
		"feast, unknown service":      {feast, `{"feature_service":"modle","entities":{"user_id":["a"]}}`, nil},
		"feast, no JSON":              {feast, `{"features"`, nil},
		"feast, no UTF-8":             {feast, "{\"features\":[\"\xff\"]}", nil},
		"feast, nothing":              {feast, "", nil},
		"feast, a list":               {feast, "[]", nil},
		"feast, wrong type":           {feast, `{"features":["drivers:city"],"entities":{"driver_id":["x"]}}`, nil},
		"feast, null key":             {feast, `{"features":["users:f00"],"entities":{"user_id":[null]}}`, nil},
		"feast, hostile name":         {feast, `{"features":["users:<script>\u0000"],"entities":{"user_id":["a"]}}`, nil},
		"rows":                        {rows, `{"keys":[{"user_id":"a"},{"user_id":"nobody"}]}`, nil},
		"rows, every type":            {drivers, `{"keys":[{"driver_id":7},{"driver_id":8}]}`, nil},
		"rows, some features":         {rows, `{"keys":[{"user_id":""}],"features":["f03","f00"],"policy":"flag"}`, nil},
		"rows, refused":               {drivers, `{"keys":[{"driver_id":8}],"policy":"refuse"}`, nil},
		"rows, null":                  {drivers, `{"keys":[{"driver_id":8}],"policy":"null"}`, nil},
		"rows, unknown policy":        {rows, `{"keys":[{"user_id":"a"}],"policy":"maybe"}`, nil},
		"rows, unknown view":          {"/api/v1/views/usres/rows", `{"keys":[{"user_id":"a"}]}`, nil},
		"rows, a view with an escape": {"/api/v1/views/us%65rs/rows", `{"keys":[{"user_id":"a"}]}`, nil},
		"rows, unknown member":        {rows, `{"kyes":[]}`, nil},
		"rows, no keys":               {rows, `{"keys":[]}`, nil},
		"rows, two values":            {rows, `{"keys":[{"user_id":"a"}]} {}`, nil},
		"rows, version":               {rows, `{"keys":[{"user_id":"a"}],"as_of_version":1}`, nil},
		"rows, version not there":     {rows, `{"keys":[{"user_id":"a"}],"as_of_version":9}`, nil},
		"service":                     {service, `{"keys":[{"user_id":"a","driver_id":7}]}`, nil},
		"service, unknown":            {"/api/v1/services/x/rows", `{"keys":[{"user_id":"a","driver_id":7}]}`, nil},
		"several views":               {several, `{"keys":[{"user_id":"a","driver_id":7}],"features":["users:*","drivers:city"]}`, nil},
		"several, context":            {several, `{"keys":[{"user_id":"a"}],"features":["users:*"],"context":{"x":1}}`, nil},
		"priority":                    {rows, `{"keys":[{"user_id":"a"}]}`, []string{"sluice-priority: sheddable"}},
		"priority, unknown":           {rows, `{"keys":[{"user_id":"a"}]}`, []string{"Sluice-Priority: high"}},
		"feast, priority, unknown":    {feast, `{"features":["users:f00"],"entities":{"user_id":["a"]}}`, []string{"Sluice-Priority: high"}},
		"time":                        {rows, `{"keys":[{"user_id":"a"}]}`, []string{"Sluice-Timeout-Ms: 1000"}},
		"time, none":                  {rows, `{"keys":[{"user_id":"a"}]}`, []string{"Sluice-Timeout-Ms: 0"}},
		"time of Envoy":               {rows, `{"keys":[{"user_id":"a"}]}`, []string{"X-Envoy-Expected-Rq-Timeout-Ms: soon"}},
		"headers of clients":          {feast, `{"features":["users:f00"],"entities":{"user_id":["a"]}}`, []string{"Accept: */*", "Accept-Encoding: gzip, deflate", "User-Agent: python-requests/2.32", "Content-Type: application/json", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
		"the last of a connection":    {rows, `{"keys":[{"user_id":"a"}]}`, []string{"Connection: close"}},
		"a body that ends early":      {rows, `{"keys"`, []string{"Content-Length: 100", "Connection: close"}},
		"a body beyond the limit":     {rows, strings.Repeat(" ", f.config.MaxBody+1), []string{"Connection: close"}},
		"the largest body":            {rows, `{"keys":[{"user_id":"a"}]}` + strings.Repeat(" ", f.config.MaxBody-26), nil},
		"many headers":                {rows, `{"keys":[{"user_id":"a"}]}`, slices.Repeat([]string{"X: y"}, 120)},
		"long headers":                {rows, `{"keys":[{"user_id":"a"}]}`, []string{"X: " + strings.Repeat("y", 30<<10)}},
		"a compressed body":           {rows, "\x1f\x8b", []string{"Content-Encoding: gzip"}},
		"a query":                     {rows + "?x=y", `{"keys":[{"user_id":"a"}]}`, nil},
		"a push":                      {"/push", `{"push_source_name":"nothing","df":{}}`, nil},
		"bulk":                        {"/api/v1/rows/stream", `{"keys":[{"user_id":"a"}],"features":["users:*"]}`, nil},
		"unknown path":                {"/api/v1/nothing", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got, want := posted(t, own, tc.path, tc.body, tc.headers...), posted(t, plain, tc.path, tc.body, tc.headers...); got != want {
				t.Errorf("%s %.200s is answered with\n%.1000s\nby net/http with\n%.1000s", tc.path, tc.body, got, want)
			}
		})
	}
}

var waits = regexp.MustCompile(`again in [^;]*;`)

func digest(token string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(token))) }

// TestDoorsLetIn holds who is let in, and how often, against net/http.
func TestDoorsLetIn(t *testing.T) {
	tokens, err := auth.Parse([]byte(`[{name: reader, role: reader, sha256: ` + digest("r") + `}, {name: once, role: reader, sha256: ` + digest("o") + `}]`))
	if err != nil {
		t.Fatal(err)
	}
	at := func() (f *fixture, own, plain string) {
		f = newFixture(t, func(c *Config, d *Deps) {
			d.Authorize = tokens.Authorize
			c.Lease, c.TokenRates = time.Minute, map[string]float64{"once": .001}
		})
		f.write(t, "users", 1, ago(time.Minute), user("a"), float(1))
		own, plain = f.doors(t)
		return f, own, plain
	}
	_, own, _ := at()
	_, _, plain := at()
	for _, path := range []string{"/api/v1/views/users/rows", "/get-online-features"} {
		body := `{"keys":[{"user_id":"a"}],"features":["users:f00"]}`
		for _, header := range []string{"X: y", "Authorization: Bearer r", "authorization: bearer  r", "Authorization: Basic r", "Authorization: Bearer x", "Authorization: Bearer o", "Authorization: Bearer o", "Authorization: Bearer o"} {
			got, want := posted(t, own, path, body, header), posted(t, plain, path, body, header)
			if waits.ReplaceAllString(got, "") != waits.ReplaceAllString(want, "") {
				t.Errorf("%s with %s is answered with\n%s\nby net/http with\n%s", path, header, got, want)
			}
		}
	}
}

// TestDoorLeaves wants the door to count what it leaves to net/http, and to say when it
// leaves itself.
func TestDoorLeaves(t *testing.T) {
	reg := prometheus.NewRegistry()
	var leaving error
	f := newFixture(t, func(_ *Config, d *Deps) { d.Registerer, d.Leaving = reg, func() error { return leaving } })
	f.write(t, "users", 1, ago(time.Minute), user("a"), float(1))
	own, _ := f.doors(t)
	const rows, body = "/api/v1/views/users/rows", `{"keys":[{"user_id":"a"}]}`
	posted(t, own, rows, body)
	posted(t, own, "/push", body)
	posted(t, own, rows, "2f;x\r\n", "Transfer-Encoding: chunked", "Content-Length: 6") // which only net/http understands
	posted(t, own, rows+"?x", body)
	posted(t, own, rows, body, "X: "+strings.Repeat("x", 20<<10))
	for what, want := range map[h1.Stat]float64{h1.StatOther: 0, h1.StatUnusual: 1, h1.StatLent: 2, h1.StatLarge: 1, h1.StatSlow: 0, h1.StatPanic: 0, h1.StatGone: 0} {
		if n := testutil.ToFloat64(f.left[what]); n != want {
			t.Errorf("%g connections are counted as %s, want %g", n, what, want)
		}
	}
	leaving = errors.New("the process is stopping")
	if got := posted(t, own, rows, body); !strings.Contains(got, "last: true") {
		t.Errorf("a server that leaves answers\n%s", got)
	}
}

// TestDoorHangUp has clients leave while their reads wait for the store, and for others:
// the reads end, and make room.
func TestDoorHangUp(t *testing.T) {
	rows := &slowRows{asked: make(chan struct{}, 100), free: make(chan struct{})}
	f := newFixture(t, func(c *Config, d *Deps) {
		rows.Rows, d.Rows = d.Rows, rows
		c.Admission.Least, c.Admission.Most, c.Admission.Start, c.Admission.Waiting, c.Admission.Wait, c.Lease = 1, 1, 1, 2, time.Minute, time.Minute
	})
	own, _ := f.doors(t)
	read := func() net.Conn {
		conn, err := net.Dial("tcp", own)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := fmt.Fprintf(conn, "POST /get-online-features HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(feastBody), feastBody); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	until := func(want int) {
		for _, _, waiting := f.door.load(); waiting != want; _, _, waiting = f.door.load() {
			runtime.Gosched()
		}
	}
	first := read()
	<-rows.asked
	second := read()
	until(1)
	third := read()
	until(2)
	second.Close() // leaves the queue
	until(1)
	first.Close() // leaves the store
	<-rows.asked  // which the third asks then
	until(0)
	close(rows.free)
	response, err := http.ReadResponse(bufio.NewReader(third), nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 {
		t.Errorf("the one who stays is answered with %d, want 200", response.StatusCode)
	}
	gone := func() float64 { return testutil.ToFloat64(f.left[h1.StatGone]) }
	for deadline := time.Now().Add(10 * time.Second); gone() < 2 && time.Now().Before(deadline); { // each is once its read has ended
		runtime.Gosched()
	}
	if n := gone(); n != 2 {
		t.Errorf("%g are counted as gone, want 2", n)
	}
}

// TestDoorMemory wants connections that were used for reads to hold little while they are
// idle.
func TestDoorMemory(t *testing.T) {
	const clients = 1000
	f := newFixture(t)
	f.write(t, "users", 1, ago(time.Minute), user("a"), float(1))
	own, _ := f.doors(t)
	held := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse + m.StackInuse)
	}
	body := `{"features":["users:f00"],"entities":{"user_id":["a"]}}`
	request := fmt.Sprintf("POST /get-online-features HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	before, answer := held(), make([]byte, 4096)
	for range clients {
		conn, err := net.Dial("tcp", own)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(answer); err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 200") {
			t.Fatalf("answered with %q, %v", answer[:n], err)
		}
	}
	if each := (held() - before) / clients; each > 40<<10 {
		t.Errorf("an idle connection holds %d bytes with its client's, want at most 40 KiB", each)
	} else {
		t.Logf("an idle connection holds %d bytes, with its client's", each)
	}
}
