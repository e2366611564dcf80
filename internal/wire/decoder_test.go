package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
)

func TestDecoder(t *testing.T) {
	b := AppendBytes([]byte{7}, []byte("text"))
	b = binary.AppendUvarint(b, 300)
	b = binary.LittleEndian.AppendUint32(b, 1<<31)
	b = AppendFloats(b, -2.5, math.MaxFloat64)
	d := Decoder{Rest: b}
	if one, text := d.Byte(), d.Bytes(); one != 7 || string(text) != "text" {
		t.Errorf("a byte and a text are read as %d, %q", one, text)
	}
	if n, four := d.Uvarint(300), d.Uint32(); n != 300 || four != 1<<31 {
		t.Errorf("numbers are read as %d, %d", n, four)
	}
	if x, y := d.Float(), d.Float(); x != -2.5 || y != math.MaxFloat64 {
		t.Errorf("numbers are read as %v, %v", x, y)
	}
	if d.Bad || len(d.Rest) > 0 {
		t.Errorf("after all of it: bad %v, %d bytes left", d.Bad, len(d.Rest))
	}
}

// TestDecoderRefuses wants what is not there, out of range or not in its one form refused.
func TestDecoderRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		bytes []byte
		read  func(d *Decoder)
	}{
		"no byte":              {nil, func(d *Decoder) { d.Byte() }},
		"no number":            {nil, func(d *Decoder) { d.Uvarint(9) }},
		"a number beyond":      {[]byte{10}, func(d *Decoder) { d.Uvarint(9) }},
		"a number too long":    {[]byte{0x89, 0}, func(d *Decoder) { d.Uvarint(9) }},
		"a number without end": {bytes.Repeat([]byte{0xff}, 11), func(d *Decoder) { d.Uvarint(math.MaxUint64) }},
		"half of four bytes":   {[]byte{1, 2}, func(d *Decoder) { d.Uint32() }},
		"a text cut off":       {[]byte{3, 'a', 'b'}, func(d *Decoder) { d.Bytes() }},
		"half a float":         {[]byte{1, 2, 3, 4}, func(d *Decoder) { d.Float() }},
		"no finite float":      {AppendFloats(nil, math.NaN()), func(d *Decoder) { d.Float() }},
		"an infinite float":    {AppendFloats(nil, math.Inf(-1)), func(d *Decoder) { d.Float() }},
	} {
		d := Decoder{Rest: tc.bytes}
		if tc.read(&d); !d.Bad {
			t.Errorf("%s is read", name)
		}
	}
}
