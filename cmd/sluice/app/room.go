package app

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"sluice/feature"
	"sluice/store/placement"
	"sluice/store/redis"
)

// room says whether the online store of a view takes more than what keeps its rows fresh:
// rows of long ago, and versions that are staged once more from the log, are refused while
// its servers are short of memory, so that windows of the stream still find some.
type room struct {
	rows    *placement.Stores
	refused *prometheus.CounterVec
}

func newRoom(rows *placement.Stores, reg prometheus.Registerer) *room {
	r := &room{rows, promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Namespace: "sluice", Subsystem: "rows", Name: "refused_total",
		Help: "Requests that were refused because a server of the online store is short of memory, by store and what they were (backfill: writes of long ago, version: rows of a version staged from the log).",
	}, []string{"store", "what"})}
	for _, name := range rows.Names() {
		r.refused.WithLabelValues(name, roomBackfill)
		r.refused.WithLabelValues(name, roomVersion)
	}
	return r
}

// What is refused.
const (
	roomBackfill = "backfill"
	roomVersion  = "version"
)

// check returns an error of the contract if there is no room for what is asked of a view.
func (r *room) check(view *feature.View, what string) error {
	store, ok := r.rows.Opened(view.OnlineStore()).(*redis.Store)
	if !ok {
		return nil
	}
	err := store.Crowded()
	if err == nil {
		return nil
	}
	r.refused.WithLabelValues(view.OnlineStore(), what).Inc()
	taken := map[string]string{roomBackfill: "writes of long ago to " + view.Name + " are", roomVersion: "another version of " + view.Name + " is"}[what]
	return &feature.Error{Code: feature.CodeUnavailable, Message: fmt.Sprintf("%s not taken: %v", taken, err),
		Hint: "raise maxmemory, add shards, or give views whose entities go out of use a ttl; then ask again. Windows of the stream are taken meanwhile. See the runbook at SluiceVersionsRefused"}
}

// offline says why rows of the stream stay out of the online store of a view for now; nil:
// they do not.
func (r *room) offline(view *feature.View) error {
	if store, ok := r.rows.Opened(view.OnlineStore()).(*redis.Store); ok {
		return store.Offline()
	}
	return nil
}

// forVersion is check of a version that is to be staged from the log.
func (r *room) forVersion(view *feature.View) error { return r.check(view, roomVersion) }
