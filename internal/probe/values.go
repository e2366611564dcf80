package probe

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"time"
)

// View is the name of the view that probes write, and Project whose it is.
const (
	View    = "probe"
	Project = "sluice"
)

// Lateness is that of the view: how far the watermark passes a window's end.
const Lateness = time.Second

// Definition is the view of a probe with windows of a size, as a definition file.
func Definition(window time.Duration) string {
	return fmt.Sprintf(`project: %s
views:
  - name: %s
    description: Written by sluice probe, with known values and now and then a planted fault.
    owner: sluice
    entities: [{name: key, type: string}]
    features:
      - {name: value, type: float64, expect: {nulls: 0.2}}
      - {name: shade, type: string}
    window: {size: %s, lateness: %s}
`, Project, View, window, Lateness)
}

// Rows of a window: keys times rounds. A layout takes at least 200.
const (
	keys   = 60
	rounds = 4
)

// Row is one row of the view. A nil Value is null.
type Row struct {
	Key   string
	At    time.Time
	Value *float64
	Shade string
}

var shades = [...]string{"amber", "blue", "coral", "dun"}

// good returns the right values of a key at an event time, which is whole milliseconds:
// near 100, and one of four shades.
func good(key string, at time.Time) (value float64, shade string) {
	h := fnv.New64a()
	h.Write([]byte(key)) // never fails
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())))
	bits := mix(h.Sum64())
	sum := 0.0
	for i := range 4 {
		sum += float64(uint16(bits>>(16*i))) / (1 << 16)
	}
	return math.Round(100*(100+5*(sum-2))) / 100, shades[mix(bits)%uint64(len(shades))]
}

// mix spreads the bits of x (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// Fault is what is wrong with a window.
type Fault string

// The faults. Nulls break an expectation, which needs no history; a shift takes the
// calibrated detector.
const (
	NoFault Fault = ""
	Nulls   Fault = "nulls"
	Shift   Fault = "shift"
)

// faultOf returns the fault of a window: of every n windows the last has one, nulls and
// shifts in turn. The windows' numbers count from the Unix epoch, so that all probes
// plant in the same windows.
func faultOf(start time.Time, size time.Duration, n int) Fault {
	index := start.UnixNano() / int64(size)
	switch {
	case n <= 0 || index%int64(n) != int64(n)-1:
		return NoFault
	case index/int64(n)%2 == 0:
		return Nulls
	}
	return Shift
}

// roundOf returns the rows of one round of a window, in the order of time.
func roundOf(start time.Time, size time.Duration, round int, fault Fault) []Row {
	step := size / rounds
	rows := make([]Row, keys)
	for i := range rows {
		r := Row{Key: keyOf(i), At: start.Add(time.Duration(round)*step + time.Duration(i)*step/keys).Truncate(time.Millisecond).UTC()}
		value, shade := good(r.Key, r.At)
		r.Value, r.Shade = &value, shade
		switch {
		case fault == Shift:
			value += 60
			r.Shade = "fault"
		case fault == Nulls && (i+round)%2 == 0:
			r.Value = nil
		}
		rows[i] = r
	}
	return rows
}

func keyOf(i int) string { return fmt.Sprintf("k%02d", i) }

// right reports whether a row that was read is a good one.
func right(r Row) bool {
	value, shade := good(r.Key, r.At)
	return r.Value != nil && *r.Value == value && r.Shade == shade
}
