// Package frames counts the HTTP/2 frames that the client of a connection sends, and
// ends a connection whose client sends more of them than its calls have use for.
//
// A client pays nothing for a frame, and a server works for each: floods of PING,
// SETTINGS, PRIORITY, empty DATA or CONTINUATION frames, and calls that are reset as soon
// as they are made, take the processor from everybody else. grpc-go bounds the memory of
// such a connection and the calls that it has at once, not what it costs.
//
// Package frames imports nothing of the platform.
package frames
