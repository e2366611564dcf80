package h2

import (
	"encoding/binary"
	"time"
)

// What our pings carry: whether the peer is there, and whether it knows that it is to go.
var (
	pingAlive = [8]byte{'a', 'l', 'i', 'v', 'e'}
	pingLeave = [8]byte{'l', 'e', 'a', 'v', 'e'}
)

// settings takes over what the peer allows.
func (c *conn) settings(f frame) error {
	if f.stream != 0 {
		return offence(codeProtocol, "settings of stream %d", f.stream)
	}
	if f.has(flagAck) {
		if len(f.payload) != 0 {
			return offence(codeSize, "settings acknowledged with %d bytes", len(f.payload))
		}
		return c.bother(1)
	}
	if len(f.payload)%6 != 0 {
		return offence(codeSize, "settings of %d bytes", len(f.payload))
	}
	if !c.greeted {
		c.greeted = true
		if err := c.raw.SetReadDeadline(time.Time{}); err != nil {
			return err
		}
	}
	if err := c.bother(1 + int64(len(f.payload)/6)/8); err != nil {
		return err
	}
	c.mu.Lock()
	for b := f.payload; len(b) > 0; b = b[6:] {
		if err := c.set(binary.BigEndian.Uint16(b), binary.BigEndian.Uint32(b[2:])); err != nil {
			c.mu.Unlock()
			return err
		}
	}
	out := c.buffer()
	*out = appendHead(*out, 0, frameSettings, flagAck, 0)
	for _, s := range c.streams { // behind it: what they let go goes by them
		c.pump(s)
	}
	c.more.Broadcast()
	return c.write()
}

// set takes over one setting; c.mu is held.
func (c *conn) set(name uint16, value uint32) error {
	switch name {
	case settingPush:
		if value > 1 {
			return offence(codeProtocol, "setting ENABLE_PUSH is %d", value)
		}
	case settingFrame:
		if value < maxFrame || value > 1<<24-1 {
			return offence(codeProtocol, "setting MAX_FRAME_SIZE is %d", value)
		}
		c.frame = min(int(value), maxSent)
	case settingWindow:
		if value > maxWindow {
			return offence(codeFlow, "setting INITIAL_WINDOW_SIZE is %d", value)
		}
		change := int64(value) - c.window
		c.window = int64(value)
		for _, s := range c.streams {
			if s.room += change; s.room > maxWindow {
				return offence(codeFlow, "the window of stream %d is too large", s.id)
			}
		}
	}
	return nil // of the others nothing follows: what is sent uses no dynamic table, and pushes nothing
}

// maxSent is the largest payload of a frame that is sent, whatever the peer takes.
const maxSent = 64 << 10

// ping answers a ping, unless they come too often.
func (c *conn) ping(f frame) error {
	if len(f.payload) != 8 {
		return offence(codeSize, "a ping of %d bytes", len(f.payload))
	}
	if f.stream != 0 {
		return offence(codeProtocol, "a ping of stream %d", f.stream)
	}
	if f.has(flagAck) {
		if [8]byte(f.payload) == pingLeave {
			return c.seal()
		}
		return c.bother(1)
	}
	if err := c.strike(time.Now()); err != nil {
		return err
	}
	if err := c.bother(1); err != nil {
		return err
	}
	c.mu.Lock()
	out := c.buffer()
	*out = appendPing(*out, flagAck, f.payload)
	return c.write()
}

// strike counts a ping that comes too soon after one before, unless something was
// sent between them: peers measure with pings how much they may have under way.
func (c *conn) strike(now time.Time) error {
	if c.answered.Swap(false) {
		c.strikes, c.pinged = 0, now
		return nil
	}
	early := now.Sub(c.pinged) < c.server.config.MinPing
	c.pinged = now
	if !early {
		return nil
	}
	if c.strikes++; c.strikes > maxStrikes {
		c.count(StatCalm)
		return connError{codeCalm, "too_many_pings"}
	}
	return nil
}

// ask sends a ping.
func (c *conn) ask(data [8]byte) {
	c.mu.Lock()
	out := c.buffer()
	*out = appendPing(*out, 0, data[:])
	_ = c.write() // an end shows where it is read
}

func (c *conn) goAway(f frame) error {
	if f.stream != 0 {
		return offence(codeProtocol, "GOAWAY of stream %d", f.stream)
	}
	if len(f.payload) < 8 {
		return offence(codeSize, "GOAWAY of %d bytes", len(f.payload))
	}
	return c.bother(1) // the peer closes when it has its answers
}

func (c *conn) priority(f frame) error {
	if f.stream == 0 {
		return offence(codeProtocol, "priority of stream 0")
	}
	if len(f.payload) != 5 {
		return fault(f.stream, codeSize, "priority of %d bytes", len(f.payload))
	}
	if binary.BigEndian.Uint32(f.payload)&maxStreamID == f.stream {
		return fault(f.stream, codeProtocol, "it depends on itself")
	}
	return c.bother(1)
}

// drain asks the peer to begin nothing new: first so that what is on its way still
// counts, then, when it has answered, with the last stream that it began.
func (c *conn) drain(why code, text string) {
	c.mu.Lock()
	if c.leaving || c.err != nil {
		c.mu.Unlock()
		return
	}
	if !c.settled { // it has begun nothing
		c.mu.Unlock()
		c.fail(ErrClosed)
		return
	}
	c.leaving, c.leftAt = true, time.Now()
	out := c.buffer()
	*out = appendGoAway(*out, maxStreamID, why, text)
	*out = appendPing(*out, 0, pingLeave[:])
	_ = c.write() // an end shows where it is read
}

// seal says which stream is the last.
func (c *conn) seal() error {
	c.mu.Lock()
	if !c.leaving || c.sealed {
		c.mu.Unlock()
		return nil
	}
	c.sealed, c.lastSeen = true, c.newest
	out := c.buffer()
	*out = appendGoAway(*out, c.lastSeen, codeNo, "")
	if err := c.write(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.idleEnd()
}

// idleEnd is errDone once the connection leaves and nothing is open; c.mu is held.
func (c *conn) idleEnd() error {
	if c.sealed && len(c.streams) == 0 && c.running == 0 {
		return errDone
	}
	return nil
}
