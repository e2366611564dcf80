package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"
)

func get(t *testing.T, h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestReady(t *testing.T) {
	fine, broken := func() error { return nil }, func() error { return errors.New("log is not reached") }
	for name, tc := range map[string]struct {
		parts  []part
		status int
		body   string
	}{
		"nothing to wait for": {nil, 200, `{"ready":true}`},
		"all can work":        {[]part{{"tap", fine}, {"gate", fine}}, 200, `{"ready":true}`},
		"one cannot": {
			[]part{{"gate", fine}, {"tap", broken}}, 503,
			`{"error":{"code":"unavailable","message":"not ready: tap: log is not reached","hint":"wait, or see the log of the parts that are named"},"not_ready":[{"name":"tap","reason":"log is not reached"}]}`,
		},
		"none can": {
			[]part{{"tap", broken}, {"gate", broken}}, 503,
			`{"error":{"code":"unavailable","message":"not ready: tap: log is not reached; gate: log is not reached","hint":"wait, or see the log of the parts that are named"},"not_ready":[{"name":"tap","reason":"log is not reached"},{"name":"gate","reason":"log is not reached"}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var h Health
			for _, p := range tc.parts {
				h.Add(p.name, p.ready)
			}
			handler := Handler(&h, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
			w := get(t, handler, "/ready")
			if got := strings.TrimSpace(w.Body.String()); w.Code != tc.status || got != tc.body {
				t.Errorf("/ready gave %d %s, want %d %s", w.Code, got, tc.status, tc.body)
			}
			if w := get(t, handler, "/healthz"); w.Code != 200 || !json.Valid(w.Body.Bytes()) {
				t.Errorf("/healthz gave %d %s, want 200 and JSON", w.Code, w.Body)
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	Build{Version: "1.2", Revision: "abc", Go: "go1"}.Export(reg)
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "sluice_test_seconds", NativeHistogramBucketFactor: 1.1})
	reg.MustRegister(h)
	h.Observe(0.25)
	handler := Handler(new(Health), reg, slog.New(slog.DiscardHandler))

	text := get(t, handler, "/metrics").Body.String()
	if want := `sluice_build_info{goversion="go1",revision="abc",version="1.2"} 1`; !strings.Contains(text, want) {
		t.Errorf("/metrics gave %s, want %s in it", text, want)
	}
	w := get(t, handler, "/metrics", "Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	native := false
	for body := bytes.NewReader(w.Body.Bytes()); ; {
		var family dto.MetricFamily
		if err := protodelim.UnmarshalFrom(body, &family); err != nil {
			break
		}
		if family.GetName() == "sluice_test_seconds" {
			native = len(family.GetMetric()[0].GetHistogram().GetPositiveSpan()) > 0
		}
	}
	if !native {
		t.Error("/metrics in protobuf has no native histogram")
	}
}

func TestScrapeErrorsAreLogged(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(broken{})
	Build{}.Export(reg)
	var log bytes.Buffer
	w := get(t, Handler(new(Health), reg, slog.New(slog.NewTextHandler(&log, nil))), "/metrics")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "sluice_build_info") || !strings.Contains(log.String(), "no value today") {
		t.Errorf("/metrics gave %d %s and log %q, want the rest and a line in the log", w.Code, w.Body, log.String())
	}
}

// broken is a collector that cannot collect.
type broken struct{}

func (broken) Describe(ch chan<- *prometheus.Desc) { ch <- desc }
func (broken) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(desc, errors.New("no value today"))
}

var desc = prometheus.NewDesc("sluice_broken", "", nil, nil)

func TestPprofIsOnlyOnTheAdminHandler(t *testing.T) {
	reg, log := prometheus.NewRegistry(), slog.New(slog.DiscardHandler)
	public := http.NewServeMux()
	Register(public, new(Health), reg, log)
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/heap?debug=1"} {
		if w := get(t, public, path); w.Code != 404 {
			t.Errorf("public %s gave %d, want 404", path, w.Code)
		}
		if w := get(t, Handler(new(Health), reg, log), path); w.Code != 200 || w.Body.Len() == 0 {
			t.Errorf("admin %s gave %d and %d bytes, want 200 and some", path, w.Code, w.Body.Len())
		}
	}
}

func TestReadBuild(t *testing.T) {
	if b := ReadBuild(""); b.Version != "dev" || b.Revision == "" || !strings.HasPrefix(b.Go, "go") {
		t.Errorf(`ReadBuild("") = %+v, want version dev, a revision and a Go release`, b)
	}
	if b := ReadBuild("1.2"); b.Version != "1.2" {
		t.Errorf(`ReadBuild("1.2") = %+v, want version 1.2`, b)
	}
}

func TestLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:6566": true, "127.8.9.1:0": true, "localhost:80": true, "[::1]:6566": true, "[::ffff:127.0.0.1]:1": true,
		"0.0.0.0:6566": false, ":6566": false, "[::]:6566": false, "10.0.0.1:6566": false, "example.org:80": false,
		"localhost.example.org:80": false, "127.0.0.1": false, "": false,
	} {
		if got := Loopback(addr); got != want {
			t.Errorf("Loopback(%q) = %t, want %t", addr, got, want)
		}
	}
}

func TestServe(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered := make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done() // a profile that would go on
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- Serve(ctx, l, handler, time.Millisecond) }()
	answered := make(chan error)
	go func() {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String(), nil)
		if err != nil {
			answered <- err
			return
		}
		answer, err := http.DefaultClient.Do(r)
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
		answered <- err
	}()
	<-entered
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve gave %v, want nil", err)
	}
	if err := <-answered; err == nil {
		t.Error("the request that went on was answered, want its connection closed")
	}
	if err := Serve(t.Context(), l, handler, time.Millisecond); err == nil || !strings.Contains(err.Error(), "serve 127.0.0.1") {
		t.Errorf("Serve on a closed listener gave %v, want an error that names it", err)
	}
}
