//go:build services

package scenario

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const postRows = "POST /api/v1/views/payments/rows HTTP/1.1\r\nHost: x\r\n"

// httpAttacks are of clients that hold connections of the HTTP door, or make it work.
var httpAttacks = []attack{
	{"HTTP: nothing is sent", 300, speaks("", nil), []string{"end"}},
	{"HTTP: headers byte by byte", 300, speaks("GET / HTTP/1.1\r\nX: ", endless("x")), []string{"end"}},
	{"HTTP: a body byte by byte", 300, speaks(postRows+"Content-Length: 100000\r\n\r\n", endless("[")), []string{"HTTP/1.1 400"}},
	{"HTTP: chunks of a byte", 20, floods(postRows+"Transfer-Encoding: chunked\r\n\r\n", strings.Repeat("1;x=y\r\nx\r\n", 800)), []string{"HTTP/1.1 400", "HTTP/1.1 413", "end"}},
	{"HTTP: headers without end", 20, floods("GET / HTTP/1.1\r\n", strings.Repeat("X: y\r\n", 1000)), []string{"HTTP/1.1 431", "end"}},
	{"HTTP: two hundred headers", 20, speaks("GET /health HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("X: y\r\n", 200)+"\r\n", nil), []string{"HTTP/1.1 431"}},
	{"HTTP: requests and no reading", 20, floods("", strings.Repeat(postRows+"Content-Length: 28\r\n\r\n"+`{"keys":[{"account":"a001"}]}`[:28], 50)), nil},
	{"HTTP: large answers and no reading", 20, unread, nil},
}

// endless repeats text, a byte each tick.
func endless(text string) []byte { return []byte(text) }

// speaks sends text, then drips bytes, and returns how the server answers.
func speaks(text string, drip []byte) func(context.Context, *victim) string {
	return func(ctx context.Context, v *victim) string {
		conn, err := dialed(ctx, v.http)
		if err != nil {
			return unconnected(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, text); err != nil {
			return "end"
		}
		if drip != nil {
			go drips(ctx, conn, drip)
		}
		return answered(conn)
	}
}

// drips sends a byte every while until the connection ends.
func drips(ctx context.Context, conn net.Conn, drip []byte) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := conn.Write(drip[i%len(drip) : i%len(drip)+1]); err != nil {
			return
		}
	}
}

// answered returns the status line that a server sends, or that it ends the connection.
func answered(conn net.Conn) string {
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return "end"
	}
	return strings.TrimSpace(line)
}

// floods sends text and then more without end, and returns how the server answers.
func floods(text, more string) func(context.Context, *victim) string {
	return func(ctx context.Context, v *victim) string {
		conn, err := dialed(ctx, v.http)
		if err != nil {
			return unconnected(err)
		}
		defer conn.Close()
		answer := make(chan string, 1)
		if text != "" {
			go func() { answer <- answered(conn) }()
		}
		if _, err := io.WriteString(conn, text); err != nil {
			return "end"
		}
		for {
			if _, err := io.WriteString(conn, more); err != nil {
				break
			}
		}
		select {
		case how := <-answer:
			return how
		default:
			return "end"
		}
	}
}

// unread asks for large answers and reads nothing of them.
func unread(ctx context.Context, v *victim) string {
	conn, err := dialed(ctx, v.http)
	if err != nil {
		return unconnected(err)
	}
	defer conn.Close()
	body := `{"keys":` + repeatJSON(`{"account":"a001"}`, 1000) + `}`
	for {
		if _, err := fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n%s", postRows, len(body), body); err != nil {
			return "end"
		}
	}
}
