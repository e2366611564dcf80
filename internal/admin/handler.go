package admin

import (
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	maxScrapes    = 4 // at once; more are answered 503
	scrapeTimeout = 10 * time.Second
)

// Register adds GET /healthz, /ready and /metrics to mux.
//
// /metrics speaks the text, OpenMetrics and protobuf formats; native histograms
// and exemplars need the last, which Prometheus asks for once it is told to
// scrape them. A metric that cannot be gathered is logged and left out.
func Register(mux *http.ServeMux, h *Health, gatherer prometheus.Gatherer, log *slog.Logger) {
	mux.HandleFunc("GET /healthz", live)
	mux.HandleFunc("GET /ready", h.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{
		ErrorLog: errorLog{log}, ErrorHandling: promhttp.ContinueOnError,
		EnableOpenMetrics: true, MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout,
	}))
}

// Handler returns what the admin listener serves: /debug/pprof/ beside what
// Register adds.
func Handler(h *Health, gatherer prometheus.Gatherer, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	Register(mux, h, gatherer, log)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// errorLog hands promhttp's errors to the log.
type errorLog struct{ log *slog.Logger }

// Println logs one error of a scrape.
func (l errorLog) Println(v ...any) { l.log.Warn("scrape", "err", v) }
