package feature

import "encoding/binary"

// AppendKeyPart appends one join key to a key being built: value is the
// serialized value (AppendValue) of the next of the view's entities. A key whose
// parts were all appended is the one that NewKey makes of the same values.
func AppendKeyPart(dst, value []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}
