package admin

import (
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Build says what runs.
type Build struct {
	Version  string `json:"version"`  // release; "dev" for other builds
	Revision string `json:"revision"` // commit; "unknown" if the build does not say
	Go       string `json:"go"`       // Go release
}

// ReadBuild returns the build of the running program. version is the release
// that the linker was told; empty for other builds.
func ReadBuild(version string) Build {
	b := Build{Version: version, Revision: "unknown", Go: runtime.Version()}
	if b.Version == "" {
		b.Version = "dev"
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}

// Export registers sluice_build_info with reg; nil registers nothing.
func (b Build) Export(reg prometheus.Registerer) {
	promauto.With(reg).NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "sluice", Name: "build_info",
		Help: "Always 1; the labels say what runs: version, revision and goversion.",
	}, []string{"version", "revision", "goversion"}).WithLabelValues(b.Version, b.Revision, b.Go).Set(1)
}
