package wireform

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that splicing falls back to
	"google.golang.org/grpc/mem"
)

// RawRequest is a request as it came; data is valid until Free is called.
type RawRequest struct {
	Data   []byte
	buffer mem.Buffer
}

// Free gives the bytes back; it may be called more than once.
func (r *RawRequest) Free() {
	if r.buffer != nil {
		r.buffer.Free()
		r.Data, r.buffer = nil, nil
	}
}

// RawReply is a reply that is encoded already.
type RawReply struct {
	Buffer mem.Buffer
}

// codec passes raw requests and replies through, and leaves every other message
// (health, reflection, replies to pushes) to the protobuf codec.
type codec struct {
	proto encoding.CodecV2
}

// NewCodec returns the codec that passes a *RawRequest and a RawReply through as bytes, and
// leaves every other message to the protobuf codec.
func NewCodec() encoding.CodecV2 { return codec{encoding.GetCodecV2("proto")} }

// Name is that of the protobuf codec: the bytes on the wire are the same.
func (codec) Name() string { return "proto" }

// Marshal gives the reply's buffer away: grpc frees it once it is written.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if reply, ok := v.(RawReply); ok {
		return mem.BufferSlice{reply.Buffer}, nil
	}
	out, err := c.proto.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("marshal %T: %w", v, err)
	}
	return out, nil
}

// Unmarshal lends a raw request its bytes until it is freed.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if request, ok := v.(*RawRequest); ok {
		request.buffer = data.MaterializeToBuffer(mem.DefaultBufferPool())
		request.Data = request.buffer.ReadOnlyData()
		return nil
	}
	if err := c.proto.Unmarshal(data, v); err != nil {
		return fmt.Errorf("unmarshal %T: %w", v, err)
	}
	return nil
}
