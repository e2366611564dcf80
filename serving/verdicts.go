package serving

import (
	"sync"

	"sluice/feature"
)

// keptVerdicts is how many verdict ids of versions below a floor are kept.
const keptVerdicts = 16 << 10

// verdicts keeps the ids of the verdicts on certified versions, which do not
// change. The zero verdicts is empty.
type verdicts struct {
	mu sync.RWMutex
	of map[versionKey]string
}

type versionKey struct {
	view    feature.ViewID
	version feature.Version
}

func (k *verdicts) get(view feature.ViewID, version feature.Version) (string, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	verdict, ok := k.of[versionKey{view, version}]
	return verdict, ok
}

// put keeps an id. When too many are kept all are let go.
func (k *verdicts) put(view feature.ViewID, version feature.Version, verdict string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of == nil || len(k.of) >= keptVerdicts {
		k.of = map[versionKey]string{}
	}
	k.of[versionKey{view, version}] = verdict
}
