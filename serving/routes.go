package serving

import (
	"net/http"

	"sluice/api"
	"sluice/internal/auth"
)

// route is one endpoint of Register that asks for a role.
type route struct {
	pattern string
	need    auth.Role
	door    door
}

// bulkPatterns are those that are answered in parts, not at once.
var bulkPatterns = []string{"POST /api/v1/rows/stream", "POST /api/v1/services/{service}/rows/stream"}

func (s *Server) routes() []route { return append(s.reads(), s.pushes()...) }

// reads are the routes that a server of our own answers too.
func (s *Server) reads() []route {
	return []route{
		{"POST /get-online-features", auth.Reader, door{methodFeastHTTP, s.getOnlineFeatures, writeFeastError}},
		{"POST /api/v1/views/{view}/rows", auth.Reader, door{methodRowsHTTP, s.getRows, auth.WriteError}},
		{"POST /api/v1/services/{service}/rows", auth.Reader, door{methodRowsHTTP, s.getFeatures, auth.WriteError}},
		{"POST /api/v1/rows", auth.Reader, door{methodRowsHTTP, s.getFeatures, auth.WriteError}},
	}
}

func (s *Server) pushes() []route {
	return []route{
		{"POST /push", auth.Writer, door{methodPushHTTP, s.push, writeFeastError}},
		{"POST /write-to-online-store", auth.Writer, door{methodPushHTTP, s.writeToOnlineStore, writeFeastError}},
	}
}

// Patterns returns what Register registers, as http.ServeMux reads it, with the role
// that each endpoint needs; 0 for one that everybody may ask.
func Patterns() map[string]auth.Role {
	patterns := map[string]auth.Role{"GET /health": 0, "GET /api/v1/openapi.yaml": 0}
	for _, p := range bulkPatterns {
		patterns[p] = auth.Reader
	}
	for p := range materializePatterns {
		patterns[p] = auth.Writer
	}
	for _, r := range (&Server{}).routes() {
		patterns[r.pattern] = r.need
	}
	return patterns
}

// openapi answers the description of the whole HTTP surface.
func openapi(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(api.OpenAPI()) // the client may be gone; there is nobody else to tell
}
