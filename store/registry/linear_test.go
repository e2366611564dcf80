package registry_test

import (
	"os"
	"strconv"
	"testing"

	"sluice/store/storetest"
)

// histories is how many are tried: SLUICE_HISTORIES, or 200.
func histories(t *testing.T) int {
	t.Helper()
	value := os.Getenv("SLUICE_HISTORIES")
	if value == "" {
		return 200
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 20 {
		t.Fatalf("SLUICE_HISTORIES is %q, want a number from 20", value)
	}
	return n
}

func TestSQLiteIsLinearizable(t *testing.T) { storetest.Linearizable(t, histories(t), open) }
