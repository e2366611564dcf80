package tap

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrPlace reports a text that does not name a record of the log.
var ErrPlace = errors.New("want TOPIC/PARTITION/OFFSET")

// Place names a record of the log.
type Place struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// String returns the place as topic/partition/offset.
func (p Place) String() string { return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset) }

// ParsePlace reads what String returns; the error is ErrPlace.
func ParsePlace(text string) (Place, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 || parts[0] == "" {
		return Place{}, fmt.Errorf("record %.64q: %w", text, ErrPlace)
	}
	partition, err := strconv.ParseInt(parts[1], 10, 32)
	offset, err2 := strconv.ParseInt(parts[2], 10, 64)
	if err := errors.Join(err, err2); err != nil || partition < 0 || offset < 0 {
		return Place{}, fmt.Errorf("record %.64q: %w", text, ErrPlace)
	}
	return Place{parts[0], int32(partition), offset}, nil
}
