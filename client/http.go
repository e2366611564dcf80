package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// call is a request to the HTTP port.
type call struct {
	method, path string
	query        url.Values
	body         []byte
	content      string        // of the body; empty: JSON
	once         bool          // it may be sent again only if it cannot have arrived
	wait         time.Duration // at the server, on top of the client's timeout
}

// do sends a call and decodes the answer.
func (c *Client) do(ctx context.Context, call call, to any) error {
	ctx, cancel := c.timed(ctx, c.config.Timeout+call.wait)
	defer cancel()
	most := c.config.Retry.TryTimeout
	if most > 0 {
		most += call.wait
	}
	return c.try(ctx, most, func(once context.Context) outcome { return c.send(ctx, once, call, to) })
}

// send is one try; ctx is the whole call's, once the try's.
func (c *Client) send(ctx, once context.Context, call call, to any) outcome {
	what := call.method + " " + call.path
	address := c.config.HTTP + call.path
	if len(call.query) > 0 {
		address += "?" + call.query.Encode()
	}
	request, err := http.NewRequestWithContext(once, call.method, address, bytes.NewReader(call.body))
	if err != nil {
		return outcome{err: invalid("", "%s: %v", what, err)}
	}
	request.Header.Set("Content-Type", first(call.content, "application/json"))
	if c.config.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.config.Token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return unreachable(ctx, what, call, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return unreachable(ctx, what, call, err)
	case len(text) > maxAnswer:
		return outcome{err: &Error{Code: "too_large", Message: fmt.Sprintf("%s: the answer is longer than %d bytes", what, maxAnswer)}}
	case response.StatusCode != http.StatusOK:
		return judgeHTTP(what, call, response, text)
	}
	if err := json.Unmarshal(text, to); err != nil {
		return outcome{err: &Error{Code: "decode", Message: what + ": the answer is not what was expected: " + err.Error(), Hint: "is Config.HTTP a Sluice server?", cause: err}}
	}
	return outcome{}
}

func unreachable(ctx context.Context, what string, call call, err error) outcome {
	if ctx.Err() != nil {
		return outcome{err: ended(ctx, what)}
	}
	if about := (*url.Error)(nil); errors.As(err, &about) {
		err = about.Err
	}
	var dial *net.OpError
	unsent := errors.As(err, &dial) && dial.Op == "dial"
	e := &Error{Code: "unavailable", Message: what + ": " + err.Error(), Hint: "is it running? `sluice run` starts one, Config.HTTP or SLUICE_SERVER names another", cause: err}
	return outcome{err: e, again: !call.once || unsent}
}

// httpWords are the codes of answers that are no errors of the contract.
var httpWords = map[int]string{401: "unauthenticated", 403: "forbidden", 413: "too_large", 429: "limit", 502: "unavailable", 503: "unavailable", 504: "unavailable"}

// judgeHTTP says what an answer that is no success means.
func judgeHTTP(what string, call call, response *http.Response, text []byte) outcome {
	var body struct {
		Error struct{ Code, Message, Hint string }
	}
	e := &Error{Code: first(httpWords[response.StatusCode], "internal"), Message: what + ": the server answered " + response.Status, Hint: "is Config.HTTP a Sluice server?"}
	if json.Unmarshal(text, &body) == nil && body.Error.Message != "" {
		e = &Error{Code: body.Error.Code, Message: body.Error.Message, Hint: body.Error.Hint}
	}
	after, shed := retryAfter(response.Header)
	out := outcome{err: e, after: after}
	switch response.StatusCode {
	case http.StatusRequestTimeout:
		e.cause = ErrNoNews
	case http.StatusTooManyRequests:
		out.again = shed && !call.once
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if response.Header.Get("Sluice-Refused") == "true" {
			e.cause = ErrRefused
			break
		}
		out.again = !call.once
	}
	return out
}

// retryAfter is what a server asks to be waited: seconds, or the time of day by its own
// clock if it says that.
//
// Source: RFC 9110, section 10.2.3.
func retryAfter(header http.Header) (after time.Duration, ok bool) {
	const most = time.Hour
	text := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), int(most/time.Second))) * time.Second, seconds >= 0
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(at.Sub(now), 0), most), true
}

// viewPath returns the path of a view's endpoint.
func viewPath(view, endpoint string) string {
	return "/api/v1/views/" + url.PathEscape(view) + "/" + endpoint
}
