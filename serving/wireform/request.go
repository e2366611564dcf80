package wireform

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	feastserving "sluice/api/feast/serving"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
	"sluice/serving/refusal"
)

// Request is a GetOnlineFeatures or GetFeatures request taken apart but not
// decoded; the two share their field numbers. Slices share the request's memory.
type Request struct {
	Service  []byte // nil: features names them
	Features []byte // the list message
	Columns  []Column
	Context  []Column // values for computed features, one a row or one for all
	Flag     uint64   // full_feature_names, or the policy

	past [][]byte // entries of as_of_versions
}

// Column is the values of one join key, or of one name of the context.
type Column struct {
	Name []byte
	List []byte // feast.types.RepeatedValue
}

// The fields of both requests.
const (
	fieldService  = 1
	fieldFeatures = 2
	fieldKeys     = 3
	fieldFlag     = 4
	fieldContext  = 5
	fieldMetadata = 6 // Feast: not used
	fieldPast     = 7 // the platform's own alone
)

// mostColumns is how many join keys, context values and past versions each a request may
// name: far more than views have of them. Without it a body of a few MiB could name so many
// that to find those given twice takes minutes.
const mostColumns = 1000

// Parse reads b as client libraries write it. Whatever else the protobuf runtime
// accepts (fields given twice, unknown ones, groups) is ErrUnusual.
func (r *Request) Parse(b []byte) error {
	r.Service, r.Features, r.Columns, r.Context, r.Flag, r.past = nil, nil, r.Columns[:0], r.Context[:0], 0, r.past[:0]
	seen := 0
	for len(b) > 0 {
		if b[0] == fieldFlag<<3 || b[0] == fieldMetadata<<3 {
			number := int(b[0] >> 3)
			v, n := binary.Uvarint(b[1:])
			if n <= 0 || v > math.MaxInt32 || seen&(1<<number) != 0 {
				return ErrUnusual
			}
			if number == fieldFlag {
				r.Flag = v
			}
			seen |= 1 << number
			b = b[1+n:]
			continue
		}
		number, value, rest, err := CutField(b)
		if err != nil {
			return err
		}
		b = rest
		switch number {
		case fieldService:
			r.Service = value
		case fieldFeatures:
			r.Features = value
		case fieldKeys:
			if r.Columns, err = appendColumn(r.Columns, value); err != nil {
				return err
			}
			continue
		case fieldContext:
			if r.Context, err = appendColumn(r.Context, value); err != nil {
				return err
			}
			continue
		case fieldPast:
			if len(r.past) == mostColumns {
				return tooMany("versions")
			}
			r.past = append(r.past, value)
			continue
		default:
			return ErrUnusual
		}
		if seen&(1<<fieldService|1<<fieldFeatures) != 0 {
			return ErrUnusual
		}
		seen |= 1 << number
	}
	if r.Service != nil && !utf8.Valid(r.Service) {
		return ErrUnusual
	}
	return nil
}

// appendColumn reads an entry of a map of values by name: its name, then its values.
func appendColumn(columns []Column, entry []byte) ([]Column, error) {
	number, name, rest, err := CutField(entry)
	if err != nil || number != 1 || !utf8.Valid(name) {
		return columns, ErrUnusual
	}
	number, list, rest, err := CutField(rest)
	if err != nil || number != 2 || len(rest) != 0 {
		return columns, ErrUnusual
	}
	for _, c := range columns {
		if string(c.Name) == string(name) {
			return columns, ErrUnusual
		}
	}
	if len(columns) == mostColumns {
		return columns, tooMany("columns of values")
	}
	return append(columns, Column{name, list}), nil
}

func tooMany(what string) error {
	return refusal.Of(feature.CodeLimit, "send the join keys of what is asked for, and the context values that it needs", "the request has more than %d %s", mostColumns, what)
}

// Refs returns the features of the list message.
func (r *Request) Refs() (refs []string, err error) {
	for b := r.Features; len(b) > 0; {
		number, ref, rest, err := CutField(b)
		if err != nil || number != 1 || !utf8.Valid(ref) {
			return nil, ErrUnusual
		}
		refs, b = append(refs, string(ref)), rest
	}
	return refs, nil
}

// AsOf reads the entries of as_of_versions, versions by view; nil if there are none.
func (r *Request) AsOf() (map[string]feature.Version, error) {
	if len(r.past) == 0 {
		return nil, nil
	}
	versions := map[string]feature.Version{}
	for _, entry := range r.past {
		number, name, rest, err := CutField(entry)
		if err != nil || number != 1 {
			return nil, ErrUnusual
		}
		tag, kind, n := protowire.ConsumeTag(rest)
		if n < 0 || tag != 2 || kind != protowire.VarintType {
			return nil, ErrUnusual
		}
		version, m := protowire.ConsumeVarint(rest[n:])
		if m < 0 || n+m != len(rest) {
			return nil, ErrUnusual
		}
		versions[string(name)] = feature.Version(version)
	}
	return versions, nil
}

// Usual writes an unusual request the way client libraries do, by way of the
// protobuf runtime. The error is invalid_argument if the runtime refuses it.
func Usual(b []byte, own bool) ([]byte, error) {
	var message proto.Message
	if own {
		message = &sluicev1.GetFeaturesRequest{}
	} else {
		message = &feastserving.GetOnlineFeaturesRequest{}
	}
	// Fields that are not known, at any depth, are of newer clients, and passed over.
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, message); err != nil {
		return nil, fmt.Errorf("%w: %w", refusal.Invalid("send the message that the .proto file describes", "the request cannot be decoded"), err)
	}
	out, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", refusal.Invalid("send the message that the .proto file describes", "the request cannot be decoded"), err)
	}
	return out, nil
}

// Names returns the names of columns, in their order.
func Names(columns []Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = string(c.Name)
	}
	return names
}

// UnusualKey tells a kind of value that no join key has from an encoding that
// is only unusual.
func UnusualKey(value []byte, name string, row int, err error) error {
	number, _, n := protowire.ConsumeTag(value)
	if n > 0 && kindNames[number] == "" && number != kindNull {
		return refusal.Key(name, row, fmt.Errorf("a value of kind %d; join keys are scalars", number))
	}
	return err
}
