package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"sluice/feature"
)

// Health collects what has to work before a process is ready. The zero Health
// is ready.
type Health struct {
	mu    sync.Mutex
	parts []part
}

type part struct {
	name  string
	ready func() error
}

// NotReady is one part that cannot work yet, and why.
type NotReady struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Add makes name a part. ready returns nil once the part can work, and else why
// not; it is called for every request of /ready, from several goroutines at
// once, and must not block.
func (h *Health) Add(name string, ready func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts = append(h.parts, part{name, ready})
}

// NotReady returns the parts that cannot work yet, in the order they were added.
func (h *Health) NotReady() []NotReady {
	h.mu.Lock()
	parts := h.parts // Add only ever appends
	h.mu.Unlock()
	var out []NotReady
	for _, p := range parts {
		if err := p.ready(); err != nil {
			out = append(out, NotReady{Name: p.name, Reason: err.Error()})
		}
	}
	return out
}

// live answers /healthz: whoever can answer lives.
func live(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

// notReadyAnswer is the body of /ready while something cannot work: the
// contract's error, and each part that is not ready.
type notReadyAnswer struct {
	Error struct {
		Code    feature.Code `json:"code"`
		Message string       `json:"message"`
		Hint    string       `json:"hint"`
	} `json:"error"`
	NotReady []NotReady `json:"not_ready"`
}

// ready answers /ready: 200 once every part can work, else 503 with the parts
// that cannot and why.
func (h *Health) ready(w http.ResponseWriter, _ *http.Request) {
	parts := h.NotReady()
	if len(parts) == 0 {
		answer(w, http.StatusOK, map[string]bool{"ready": true})
		return
	}
	body := notReadyAnswer{NotReady: parts}
	body.Error.Code = feature.CodeUnavailable
	body.Error.Hint = "wait, or see the log of the parts that are named"
	var texts []string
	for _, p := range parts {
		texts = append(texts, p.Name+": "+p.Reason)
	}
	body.Error.Message = "not ready: " + strings.Join(texts, "; ")
	answer(w, http.StatusServiceUnavailable, body)
}

// answer writes body as JSON. A reader that has gone is nobody's concern.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
