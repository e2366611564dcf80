package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	sluicev1 "sluice/api/sluice/v1"
)

// Client asks one server, or one balancer. It is safe for concurrent use and meant to be
// kept: its connections are used again.
type Client struct {
	config  Config
	conn    *grpc.ClientConn
	reads   sluicev1.FeatureServiceClient
	http    *http.Client
	budget  budget
	kept    *cache
	batcher *batcher
}

// maxAnswer bounds an answer in bytes.
const maxAnswer = 256 << 20

// Dial returns a client of the server that config names. It does not wait for the
// server: a client may be made before its server runs. The error names every field that
// cannot be used. Close the client.
func Dial(config Config) (*Client, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	conn, err := grpc.NewClient(config.GRPC, options(config)...)
	if err != nil {
		return nil, fmt.Errorf("client: GRPC %s: %w", config.GRPC, err)
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSClientConfig: config.TLS.Clone(),
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second, MaxIdleConnsPerHost: 8,
	}
	c := &Client{
		config: config, conn: conn, reads: sluicev1.NewFeatureServiceClient(conn),
		// A redirect could lead the token elsewhere.
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		kept: newCache(config.Keep),
	}
	c.budget.saved = config.Retry.Burst
	c.batcher = newBatcher(config.Batch, c)
	return c, nil
}

func options(config Config) []grpc.DialOption {
	secure := insecure.NewCredentials()
	if config.TLS != nil {
		secure = credentials.NewTLS(config.TLS.Clone())
	}
	dial := []grpc.DialOption{
		grpc.WithTransportCredentials(secure),
		grpc.WithDisableRetry(), // tries are this package's: one budget for both ports
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: .2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
	}
	if config.Token != "" {
		dial = append(dial, grpc.WithPerRPCCredentials(bearer(config.Token)))
	}
	return dial
}

// bearer is a token. Whether it may go out in the clear was checked by validate.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

// Close ends what runs and closes the connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	if err := c.conn.Close(); err != nil {
		return fmt.Errorf("client: close: %w", err)
	}
	return nil
}

// timed bounds a call.
func (c *Client) timed(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, most, &lateError{most})
}

// lateError is the cause of a deadline of ours.
type lateError struct{ most time.Duration }

func (e *lateError) Error() string { return fmt.Sprintf("no answer within %s", e.most) }

// ended is the error of a call whose context has ended.
func ended(ctx context.Context, what string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	message := "no answer before the context's deadline"
	var late *lateError
	if errors.As(context.Cause(ctx), &late) {
		message = late.Error()
	}
	return &Error{Code: "unavailable", Message: what + ": " + message, Hint: "give it a longer timeout", cause: context.DeadlineExceeded}
}
