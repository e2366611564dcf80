package serving

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	feastserving "sluice/api/feast/serving"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
	"sluice/serving/refusal"
)

// wireRequest is a GetOnlineFeatures or GetFeatures request taken apart but not
// decoded; the two share their field numbers. Slices share the request's memory.
type wireRequest struct {
	service  []byte // nil: features names them
	features []byte // the list message
	columns  []wireColumn
	context  []wireColumn // values for computed features, one a row or one for all
	flag     uint64       // full_feature_names, or the policy
	past     [][]byte     // entries of as_of_versions
}

// wireColumn is the values of one join key, or of one name of the context.
type wireColumn struct {
	name []byte
	list []byte // feast.types.RepeatedValue
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

// parse reads b as client libraries write it. Whatever else the protobuf runtime
// accepts (fields given twice, unknown ones, groups) is errUnusual.
func (r *wireRequest) parse(b []byte) error {
	r.service, r.features, r.columns, r.context, r.flag, r.past = nil, nil, r.columns[:0], r.context[:0], 0, r.past[:0]
	seen := 0
	for len(b) > 0 {
		if b[0] == fieldFlag<<3 || b[0] == fieldMetadata<<3 {
			number := int(b[0] >> 3)
			v, n := binary.Uvarint(b[1:])
			if n <= 0 || v > math.MaxInt32 || seen&(1<<number) != 0 {
				return errUnusual
			}
			if number == fieldFlag {
				r.flag = v
			}
			seen |= 1 << number
			b = b[1+n:]
			continue
		}
		number, value, rest, err := cutField(b)
		if err != nil {
			return err
		}
		b = rest
		switch number {
		case fieldService:
			r.service = value
		case fieldFeatures:
			r.features = value
		case fieldKeys:
			if r.columns, err = appendColumn(r.columns, value); err != nil {
				return err
			}
			continue
		case fieldContext:
			if r.context, err = appendColumn(r.context, value); err != nil {
				return err
			}
			continue
		case fieldPast:
			r.past = append(r.past, value)
			continue
		default:
			return errUnusual
		}
		if seen&(1<<fieldService|1<<fieldFeatures) != 0 {
			return errUnusual
		}
		seen |= 1 << number
	}
	if r.service != nil && !utf8.Valid(r.service) {
		return errUnusual
	}
	return nil
}

// appendColumn reads an entry of a map of values by name: its name, then its values.
func appendColumn(columns []wireColumn, entry []byte) ([]wireColumn, error) {
	number, name, rest, err := cutField(entry)
	if err != nil || number != 1 || !utf8.Valid(name) {
		return columns, errUnusual
	}
	number, list, rest, err := cutField(rest)
	if err != nil || number != 2 || len(rest) != 0 {
		return columns, errUnusual
	}
	for _, c := range columns {
		if string(c.name) == string(name) {
			return columns, errUnusual
		}
	}
	return append(columns, wireColumn{name, list}), nil
}

// refs returns the features of the list message.
func (r *wireRequest) refs() (refs []string, err error) {
	for b := r.features; len(b) > 0; {
		number, ref, rest, err := cutField(b)
		if err != nil || number != 1 || !utf8.Valid(ref) {
			return nil, errUnusual
		}
		refs, b = append(refs, string(ref)), rest
	}
	return refs, nil
}

// usual writes an unusual request the way client libraries do, by way of the
// protobuf runtime. The error is invalid_argument if the runtime refuses it.
func usual(b []byte, own bool) ([]byte, error) {
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

// bindWire fills q's join keys from the columns of a request.
func (q *query) bindWire(columns []wireColumn, limit int) error {
	if len(columns) != len(q.plan.joins) {
		return q.joinProblem(wireNames(columns))
	}
	for i, join := range q.plan.joins {
		at := slices.IndexFunc(columns, func(c wireColumn) bool { return string(c.name) == join.Name })
		if at < 0 {
			return q.joinProblem(wireNames(columns))
		}
		rows, err := q.bindWireColumn(join, columns[at].list, limit)
		if err != nil {
			return err
		}
		if err := q.countRows(i, join.Name, rows, limit); err != nil {
			return err
		}
	}
	return nil
}

// bindWireColumn appends the values of one join key and returns how many there
// are, counted up to one more than limit.
func (q *query) bindWireColumn(join feature.Entity, list []byte, limit int) (rows int, err error) {
	for b := list; len(b) > 0; rows++ {
		if rows > limit {
			return rows, nil
		}
		number, value, rest, err := cutField(b)
		if err != nil || number != 1 {
			return 0, errUnusual
		}
		scalar, err := cutScalar(value)
		if err != nil {
			return 0, unusualKey(value, join.Name, rows, err)
		}
		from := len(q.arena)
		if q.arena, err = scalar.appendKey(q.arena, join.Type); err != nil {
			return 0, refusal.Key(join.Name, rows, err)
		}
		q.keys, b = append(q.keys, span{from, len(q.arena)}), rest
	}
	return rows, nil
}

func wireNames(columns []wireColumn) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = string(c.name)
	}
	return names
}

// unusualKey tells a kind of value that no join key has from an encoding that
// is only unusual.
func unusualKey(value []byte, name string, row int, err error) error {
	number, _, n := protowire.ConsumeTag(value)
	if n > 0 && kindNames[number] == "" && number != kindNull {
		return refusal.Key(name, row, fmt.Errorf("a value of kind %d; join keys are scalars", number))
	}
	return err
}
