package push

import (
	"fmt"
	"time"

	"sluice/serving/refusal"
)

// momentLayouts are how clients write event times; without a zone it is UTC.
var momentLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", time.DateOnly,
}

// MomentOf reads an event time as clients write it; without a zone it is UTC.
func MomentOf(text string) (time.Time, error) {
	for _, layout := range momentLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s is no time; write RFC 3339", refusal.Quoted(text))
}
