package tabular

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"sluice/feature"
)

type writer = func(dst []byte, v parquet.Value) []byte

// leafWriter returns how values of a Parquet type are written as JSON.
func leafWriter(t parquet.Type, declared feature.Type) writer {
	if logical := t.LogicalType(); logical != nil {
		if w := logicalWriter(t.Kind(), logical.Value); w != nil {
			return w
		}
	}
	switch t.Kind() {
	case parquet.Boolean:
		return func(dst []byte, v parquet.Value) []byte { return strconv.AppendBool(dst, v.Boolean()) }
	case parquet.Int32:
		return func(dst []byte, v parquet.Value) []byte { return strconv.AppendInt(dst, int64(v.Int32()), 10) }
	case parquet.Int64:
		return func(dst []byte, v parquet.Value) []byte { return strconv.AppendInt(dst, v.Int64(), 10) }
	case parquet.Int96:
		return writeInt96
	case parquet.Float:
		return func(dst []byte, v parquet.Value) []byte { return appendFloat(dst, float64(v.Float()), 32) }
	case parquet.Double:
		return func(dst []byte, v parquet.Value) []byte { return appendFloat(dst, v.Double(), 64) }
	}
	if declared == feature.String {
		return writeText
	}
	return writeBytes
}

// logicalWriter returns the writer of an annotated type; nil if the annotation
// changes nothing.
func logicalWriter(kind parquet.Kind, logical format.LogicalTypeValue) writer {
	switch t := logical.(type) {
	case *format.StringType, *format.EnumType:
		return writeText
	case *format.JsonType:
		return writeJSON
	case *format.UUIDType:
		return writeUUID
	case *format.DateType:
		return func(dst []byte, v parquet.Value) []byte {
			return appendTime(dst, time.Unix(int64(v.Int32())*86400, 0))
		}
	case *format.TimestampType:
		return timestampWriter(unitOf(t.Unit))
	case *format.TimeType:
		return timeWriter(kind, unitOf(t.Unit))
	case *format.DecimalType:
		return decimalWriter(kind, t.Scale)
	case *format.IntType:
		if !t.IsSigned && kind == parquet.Int32 {
			return func(dst []byte, v parquet.Value) []byte { return strconv.AppendUint(dst, uint64(v.Uint32()), 10) }
		}
		if !t.IsSigned {
			return func(dst []byte, v parquet.Value) []byte { return strconv.AppendUint(dst, v.Uint64(), 10) }
		}
	}
	return nil
}

func writeText(dst []byte, v parquet.Value) []byte { return appendString(dst, string(v.ByteArray())) }

func writeBytes(dst []byte, v parquet.Value) []byte {
	dst = base64.StdEncoding.AppendEncode(append(dst, '"'), v.ByteArray())
	return append(dst, '"')
}

// writeJSON writes JSON text as the value that it is, and what is none as a string.
func writeJSON(dst []byte, v parquet.Value) []byte {
	if text := v.ByteArray(); json.Valid(text) {
		return append(dst, oneLine(string(text))...)
	}
	return writeText(dst, v)
}

func writeUUID(dst []byte, v parquet.Value) []byte {
	b := v.ByteArray()
	if len(b) != 16 {
		return writeBytes(dst, v)
	}
	return fmt.Appendf(dst, `"%x-%x-%x-%x-%x"`, b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// writeInt96 writes the timestamp of old writers: nanoseconds of a Julian day.
func writeInt96(dst []byte, v parquet.Value) []byte {
	const epochDay = 2440588 // Julian day number of 1970-01-01
	i := v.Int96()
	nanos := int64(i[1])<<32 | int64(i[0])
	return appendTime(dst, time.Unix((int64(i[2])-epochDay)*86400, 0).Add(time.Duration(nanos)))
}

// appendTime appends RFC 3339 in UTC, or a text that no reader takes for a time
// where the year has not four digits.
func appendTime(dst []byte, t time.Time) []byte {
	dst = t.UTC().AppendFormat(append(dst, '"'), time.RFC3339Nano)
	return append(dst, '"')
}

func unitOf(u format.TimeUnit) time.Duration {
	switch u.Value.(type) {
	case *format.NanoSeconds:
		return time.Nanosecond
	case *format.MicroSeconds:
		return time.Microsecond
	}
	return time.Millisecond
}

// timestampWriter takes local timestamps (not adjusted to UTC) for UTC.
func timestampWriter(unit time.Duration) writer {
	perSecond := int64(time.Second / unit)
	return func(dst []byte, v parquet.Value) []byte {
		n := v.Int64()
		sec, rest := n/perSecond, n%perSecond
		return appendTime(dst, time.Unix(sec, rest*int64(unit)))
	}
}

// timeWriter writes a time of day as hh:mm:ss with fraction.
func timeWriter(kind parquet.Kind, unit time.Duration) writer {
	return func(dst []byte, v parquet.Value) []byte {
		n := v.Int64()
		if kind == parquet.Int32 {
			n = int64(v.Int32())
		}
		perSecond := int64(time.Second / unit)
		t := time.Unix(n/perSecond, n%perSecond*int64(unit)).UTC()
		return append(t.AppendFormat(append(dst, '"'), "15:04:05.999999999"), '"')
	}
}

// decimalWriter writes the exact decimal number unscaled × 10^-scale.
func decimalWriter(kind parquet.Kind, scale int32) writer {
	return func(dst []byte, v parquet.Value) []byte {
		unscaled := new(big.Int)
		switch kind {
		case parquet.Int32:
			unscaled.SetInt64(int64(v.Int32()))
		case parquet.Int64:
			unscaled.SetInt64(v.Int64())
		default: // big-endian two's complement
			b := v.ByteArray()
			if unscaled.SetBytes(b); len(b) > 0 && b[0] >= 0x80 {
				unscaled.Sub(unscaled, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
			}
		}
		return appendDecimal(dst, unscaled, scale)
	}
}

func appendDecimal(dst []byte, unscaled *big.Int, scale int32) []byte {
	if scale <= 0 || scale > 1000 {
		dst = unscaled.Append(dst, 10)
		if scale != 0 {
			dst = fmt.Appendf(dst, "e%d", -int64(scale))
		}
		return dst
	}
	digits := new(big.Int).Abs(unscaled).Text(10)
	for len(digits) <= int(scale) {
		digits = "0" + digits
	}
	if unscaled.Sign() < 0 {
		dst = append(dst, '-')
	}
	point := len(digits) - int(scale)
	dst = append(append(dst, digits[:point]...), '.')
	return append(dst, digits[point:]...)
}
