package feast

import (
	feasttypes "sluice/api/feast/types"
	"sluice/feature"
)

// valueTypes are the types that both sides have.
var valueTypes = map[feature.Type]feasttypes.ValueType_Enum{
	feature.Int32:     feasttypes.ValueType_INT32,
	feature.Int64:     feasttypes.ValueType_INT64,
	feature.Float32:   feasttypes.ValueType_FLOAT,
	feature.Float64:   feasttypes.ValueType_DOUBLE,
	feature.String:    feasttypes.ValueType_STRING,
	feature.Bytes:     feasttypes.ValueType_BYTES,
	feature.Bool:      feasttypes.ValueType_BOOL,
	feature.Timestamp: feasttypes.ValueType_UNIX_TIMESTAMP,
	feature.JSON:      feasttypes.ValueType_JSON,

	feature.ListOf(feature.Int32):     feasttypes.ValueType_INT32_LIST,
	feature.ListOf(feature.Int64):     feasttypes.ValueType_INT64_LIST,
	feature.ListOf(feature.Float32):   feasttypes.ValueType_FLOAT_LIST,
	feature.ListOf(feature.Float64):   feasttypes.ValueType_DOUBLE_LIST,
	feature.ListOf(feature.String):    feasttypes.ValueType_STRING_LIST,
	feature.ListOf(feature.Bytes):     feasttypes.ValueType_BYTES_LIST,
	feature.ListOf(feature.Bool):      feasttypes.ValueType_BOOL_LIST,
	feature.ListOf(feature.Timestamp): feasttypes.ValueType_UNIX_TIMESTAMP_LIST,
}

// types is valueTypes the other way round.
var types = func() map[feasttypes.ValueType_Enum]feature.Type {
	out := make(map[feasttypes.ValueType_Enum]feature.Type, len(valueTypes))
	for t, v := range valueTypes {
		out[v] = t
	}
	return out
}()

// nearTypes are types of Feast alone that another one can hold, and how it then is
// read and written.
var nearTypes = map[feasttypes.ValueType_Enum]struct {
	typ feature.Type
	how string
}{
	feasttypes.ValueType_MAP:       {feature.JSON, "is kept as json: Feast's clients write it so, and read the text of it"},
	feasttypes.ValueType_STRUCT:    {feature.JSON, "is kept as json: Feast's clients write it so, and read the text of it"},
	feasttypes.ValueType_UUID:      {feature.String, "is kept as string, as Feast sends it"},
	feasttypes.ValueType_TIME_UUID: {feature.String, "is kept as string, as Feast sends it"},
	feasttypes.ValueType_DECIMAL:   {feature.String, "is kept as string, as Feast sends it"},
}
