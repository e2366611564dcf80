package memory_test

import (
	"testing"

	"sluice/store/memory"
	"sluice/store/storetest"
)

func TestRows(t *testing.T) {
	stores := map[string]*memory.Store{}
	storetest.Rows(t, func(_ testing.TB, dir string) storetest.RowStore {
		if stores[dir] == nil {
			stores[dir] = new(memory.Store)
		}
		return stores[dir]
	})
}
