package h1

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// headRoom is how many bytes before an answer's body are kept for its head.
const headRoom = 256

// appendHead appends the head of an answer.
func appendHead(dst []byte, a *Answer, date *stamp, last bool) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(a.Status), 10)
	dst = append(append(append(dst, ' '), http.StatusText(a.Status)...), "\r\n"...)
	if len(a.Header) == 1 {
		for name, values := range a.Header {
			dst = appendHeader(dst, name, values)
		}
	} else {
		for _, name := range slices.Sorted(maps.Keys(a.Header)) {
			dst = appendHeader(dst, name, a.Header[name])
		}
	}
	dst = append(append(dst, "Date: "...), date.text[:]...)
	dst = strconv.AppendInt(append(dst, "\r\nContent-Length: "...), int64(len(a.Body)-headRoom), 10)
	if last {
		dst = append(dst, "\r\nConnection: close"...)
	}
	return append(dst, "\r\n\r\n"...)
}

func appendHeader(dst []byte, name string, values []string) []byte {
	for _, v := range values {
		dst = append(append(dst, name...), ": "...)
		for _, c := range []byte(v) {
			if c == '\r' || c == '\n' {
				c = ' ' // as net/http does
			}
			dst = append(dst, c)
		}
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// write sends an answer. The client may be gone; there is nobody else to tell.
func (c *conn) write(a *Answer, now time.Time, last bool) error {
	if c.writeUntil.Sub(now) < c.server.config.WriteTimeout {
		c.writeUntil = now.Add(2 * c.server.config.WriteTimeout)
		// One that cannot be set is one of a connection that cannot be written to.
		_ = c.raw.SetWriteDeadline(c.writeUntil)
	}
	var room [headRoom]byte
	head := appendHead(room[:0], a, c.server.dates.at(now), last)
	out := a.Body
	if n := headRoom - len(head); n >= 0 {
		out = out[n:]
		copy(out, head)
	} else {
		out = append(slices.Clone(head), out[headRoom:]...)
	}
	_, err := c.raw.Write(out)
	return err
}

// stamp is a second as the header Date has it.
type stamp struct {
	second int64
	text   [len(http.TimeFormat)]byte
}

// dates keeps the stamp of the second that it was asked for last.
type dates struct{ last atomic.Pointer[stamp] }

func (d *dates) at(now time.Time) *stamp {
	if s := d.last.Load(); s != nil && s.second == now.Unix() {
		return s
	}
	s := &stamp{second: now.Unix()}
	now.UTC().AppendFormat(s.text[:0], http.TimeFormat)
	d.last.Store(s)
	return s
}
