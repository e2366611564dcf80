package h2

import (
	"encoding/binary"
	"fmt"
)

// preface is what a client begins with.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

const (
	frameHead    = 9         // bytes before a frame's payload
	maxFrame     = 16384     // bytes of the largest payload that a peer may send us
	firstWindow  = 65535     // bytes that may be sent before the first WINDOW_UPDATE
	streamWindow = 256 << 10 // bytes of a request that a peer may send before they were used
	connWindow   = 1 << 20   // likewise of all its requests
	maxWindow    = 1<<31 - 1
	headerTable  = 4096 // bytes of the peer's dynamic table of headers
	maxStreamID  = 1<<31 - 1
	paddedPrefix = 1
	prioPrefix   = 5
)

type frameType uint8

const (
	frameData frameType = iota
	frameHeaders
	framePriority
	frameReset
	frameSettings
	framePush
	framePing
	frameGoAway
	frameWindow
	frameContinuation
)

const (
	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// settings that matter here.
const (
	settingPush       = 2
	settingStreams    = 3
	settingWindow     = 4
	settingFrame      = 5
	settingHeaderList = 6
)

// code is an error code of HTTP/2.
type code uint32

const (
	codeNo code = iota
	codeProtocol
	codeInternal
	codeFlow
	codeSettingsTimeout
	codeClosed
	codeSize
	codeRefused
	codeCancel
	codeCompression
	codeConnect
	codeCalm
)

var codeNames = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
	"REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
}

func (c code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("error code %d", uint32(c))
}

// frame is one frame of a peer. Its payload is valid until the next one is read.
type frame struct {
	kind    frameType
	flags   uint8
	stream  uint32
	payload []byte
}

func (f *frame) has(flag uint8) bool { return f.flags&flag != 0 }

// frameLength is that of the payload of the frame that b, of frameHead bytes or more,
// begins with.
func frameLength(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

// cutFrame takes the frame apart that b, which holds the whole of it, begins with.
func cutFrame(b []byte) frame {
	n := frameLength(b)
	return frame{kind: frameType(b[3]), flags: b[4], stream: binary.BigEndian.Uint32(b[5:]) & maxStreamID, payload: b[frameHead : frameHead+n]}
}

func appendHead(dst []byte, length int, kind frameType, flags uint8, stream uint32) []byte {
	return append(dst, byte(length>>16), byte(length>>8), byte(length), byte(kind), flags,
		byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

func appendUint32(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }

func appendReset(dst []byte, stream uint32, c code) []byte {
	return appendUint32(appendHead(dst, 4, frameReset, 0, stream), uint32(c))
}

func appendWindow(dst []byte, stream uint32, n int) []byte {
	return appendUint32(appendHead(dst, 4, frameWindow, 0, stream), uint32(n))
}

func appendPing(dst []byte, flags uint8, data []byte) []byte {
	return append(appendHead(dst, 8, framePing, flags, 0), data...)
}

func appendGoAway(dst []byte, last uint32, c code, why string) []byte {
	dst = appendHead(dst, 8+len(why), frameGoAway, 0, 0)
	return append(appendUint32(appendUint32(dst, last), uint32(c)), why...)
}

func appendSetting(dst []byte, name uint16, value uint32) []byte {
	return appendUint32(binary.BigEndian.AppendUint16(dst, name), value)
}
