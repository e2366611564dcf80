package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
)

// TestHTTPServers has a process answer with either server: a read, something else on the
// same connection, and a long poll, which ends with the process.
func TestHTTPServers(t *testing.T) {
	for name, lent := range map[string]float64{httpOwn: 2, httpGo: 0} { // requests: the health check and the poll
		t.Run(name, func(t *testing.T) {
			cfg, metrics := DefaultConfig(), prometheus.NewRegistry()
			cfg.Data, cfg.Serve.HTTPServer = t.TempDir(), name
			cfg.Listen.HTTP, cfg.Listen.GRPC, cfg.Listen.Kafka = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
			a, err := New(t.Context(), cfg, Options{Target: "all", Clock: "wall", NoSync: true, Metrics: metrics})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := a.parts.registry.SaveDefinitions(t.Context(), 0, feature.Definitions{Views: []feature.View{{
				Name: "payments", Entities: []feature.Entity{{Name: "user", Type: feature.String}}, Features: []feature.Feature{{Name: "amount", Type: feature.Float64}},
			}}}, feature.Audit{ID: "a", Action: "apply"}); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() { ended <- a.Run(ctx) }()
			client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
			defer client.CloseIdleConnections()
			send := func(method, path, body string) (string, error) {
				r, err := http.NewRequestWithContext(t.Context(), method, "http://"+a.Addrs().HTTP+path, strings.NewReader(body))
				if err != nil {
					return "", err
				}
				response, err := client.Do(r)
				if err != nil {
					return "", err
				}
				defer response.Body.Close()
				text, err := io.ReadAll(response.Body)
				return fmt.Sprint(response.StatusCode, " ", string(text)), err
			}
			for a.Ready() != nil {
				if got, err := send(http.MethodGet, "/health", ""); err != nil {
					t.Fatal(got, err)
				}
			}
			client.CloseIdleConnections()
			before := lentBy(t, metrics)
			for _, tc := range []struct{ method, path, body, want string }{
				{http.MethodPost, "/get-online-features", `{"features":["x:y"],"entities":{"z":[1]}}`, "FeatureViewNotFoundException"},
				{http.MethodPost, "/api/v1/views/x/rows", `{"keys":[{"z":1}]}`, "unknown_view"},
				{http.MethodGet, "/health", "", "200"},
				{http.MethodPost, "/api/v1/rows", `{}`, "invalid_argument"},
			} {
				if got, err := send(tc.method, tc.path, tc.body); err != nil || !strings.Contains(got, tc.want) {
					t.Errorf("%s %s is answered with %s, %v, want %s", tc.method, tc.path, got, err, tc.want)
				}
			}
			client.CloseIdleConnections() // the poll has a connection of its own
			polled := make(chan string, 1)
			go func() {
				got, err := send(http.MethodGet, "/api/v1/views/payments/verdicts?after=0&wait=5m", "")
				polled <- fmt.Sprint(got, err)
			}()
			for name == httpOwn && lentBy(t, metrics) < before+lent { // until it is there
				if got, err := send(http.MethodPost, "/api/v1/rows", `{}`); err != nil {
					t.Fatal(got, err)
				}
			}
			if got := lentBy(t, metrics) - before; got != lent {
				t.Errorf("net/http answered %g requests of the door, want %g", got, lent)
			}
			begun := time.Now()
			stop()
			if err := <-ended; err != nil || time.Since(begun) > drain {
				t.Errorf("Run = %v after %s, want its end before requests are cut", err, time.Since(begun))
			}
			if got := <-polled; name == httpOwn && !strings.Contains(got, "the server is stopping") { // of the other it may not have arrived
				t.Errorf("the poll is answered with %s", got)
			}
		})
	}
}

// lentBy returns how many requests net/http answered for the door, or connections it kept.
func lentBy(t *testing.T, metrics prometheus.Gatherer) (n float64) {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "sluice_serve_http1_left_total" || f.GetName() == "sluice_serve_http1_lent_total" {
			for _, m := range f.GetMetric() {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}
