package frames

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"
)

// ErrFlood is what reading from a connection returns that was ended.
var ErrFlood = errors.New("too many frames")

// Listener gives every connection of another listener an account.
type Listener struct {
	net.Listener
	most  int
	ended func(client net.Addr)
}

// Listen returns a listener whose connections may send most frames at once beyond those
// that their calls need, and a tenth of them a second; ended is called for each that has
// sent more, from any goroutine. most is at least 1.
func Listen(l net.Listener, most int, ended func(client net.Addr)) *Listener {
	return &Listener{l, most, ended}
}

// Accept returns the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watched{Conn: conn, account: newAccount(l.most, time.Now), ended: l.ended}, nil
}

// watched is a connection with an account. Reads come from one goroutine at a time.
type watched struct {
	net.Conn
	account *account
	ended   func(client net.Addr)
	flooded bool
}

// Read reads from the connection; the error is ErrFlood if its client sent too much.
func (w *watched) Read(b []byte) (int, error) {
	if w.flooded {
		return 0, ErrFlood
	}
	n, err := w.Conn.Read(b)
	if !w.account.read(b[:n]) {
		w.flooded = true
		w.part()
		return 0, fmt.Errorf("read from %s: %w", w.RemoteAddr(), ErrFlood)
	}
	return n, err
}

// Write writes to the connection.
func (w *watched) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	w.account.sent.Add(int64(n))
	return n, err
}

// farewell is how long the client has to take the reason.
const farewell = 100 * time.Millisecond

// part tells the client why it is left.
func (w *watched) part() {
	// A client that does not read is told nothing.
	_ = w.SetWriteDeadline(time.Now().Add(farewell))
	_, _ = w.Conn.Write(goAway(fmt.Sprintf("%s: more than calls need and %d beside; serve.max_frames sets the limit", ErrFlood, w.account.most)))
	w.ended(w.RemoteAddr())
}

// goAway is the frame that says ENHANCE_YOUR_CALM and why. It names no call: those that
// are under way end with the connection.
func goAway(reason string) []byte {
	const frameGoAway, calm = 7, 11
	b := []byte{0, 0, 0, frameGoAway, 0, 0, 0, 0, 0}
	b = binary.BigEndian.AppendUint32(b, 1<<31-1) // the last call that was looked at: any
	b = append(binary.BigEndian.AppendUint32(b, calm), reason...)
	n := len(b) - headSize
	b[0], b[1], b[2] = byte(n>>16), byte(n>>8), byte(n)
	return b
}
