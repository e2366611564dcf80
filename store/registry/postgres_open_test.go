package registry_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"sluice/store/registry"
)

// TestOpenPostgresRefuses: whatever is wrong with the connection string or at the
// server, the error says where to look and never shows the password.
func TestOpenPostgresRefuses(t *testing.T) {
	denying := answering(t, "28P01", `password authentication failed for user "ops" with "s3cr/et-word"`)
	starting := answering(t, "57P03", "the database system is starting up")
	full := answering(t, "53300", "sorry, too many clients already")
	for name, tc := range map[string]struct {
		dsn  string
		want error // nil: any
		text string
	}{
		"a slash in the password":        {"postgres://ops:s3cr/et-word@localhost/sluice", registry.ErrInvalid, "percent-encoded"},
		"a hash in the password":         {"postgres://ops:s3cr#et-word@127.0.0.1:1/sluice", nil, ""},
		"a percent sign in the password": {"postgres://ops:s3cr%zzet-word@localhost/sluice", registry.ErrInvalid, "percent-encoded"},
		"a password like a port":         {"postgres://ops:5432/s3cr-et-word@localhost/sluice", registry.ErrInvalid, "percent-encoded"},
		"unknown setting":                {"postgres://ops:s3cr-et-word@localhost/sluice?sslmode=perhaps", registry.ErrInvalid, "connection string"},
		"pairs cut short":                {"host=localhost password='s3cr-et-word", registry.ErrInvalid, "connection string"},
		"nobody listens":                 {"postgres://ops:s3cr-et-word@127.0.0.1:1/sluice?sslmode=disable", registry.ErrUnavailable, "127.0.0.1:1/sluice"},
		"nobody of that name":            {"postgres://ops:s3cr-et-word@host.invalid:5432/sluice?sslmode=disable", registry.ErrUnavailable, "host.invalid:5432/sluice"},
		"password denied":                {"postgres://ops:s3cr%2Fet-word@" + denying + "/sluice?sslmode=disable", nil, "password authentication failed"},
		"password denied, as pairs":      {pairs(denying) + " user=ops password=s3cr/et-word dbname=sluice sslmode=disable", nil, "password authentication failed"},
		"server starts":                  {"postgres://ops:s3cr-et-word@" + starting + "/sluice?sslmode=disable", registry.ErrUnavailable, "starting up"},
		"server is full":                 {"postgres://ops:s3cr-et-word@" + full + "/sluice?sslmode=disable", registry.ErrUnavailable, "too many clients"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			s, err := registry.OpenPostgres(t.Context(), tc.dsn, registry.PostgresOptions{Connect: time.Second})
			if err == nil {
				s.Close()
				t.Fatal("OpenPostgres gave no error")
			}
			if tc.want != nil && !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) || !strings.Contains(err.Error(), "registry.postgres") {
				t.Errorf("OpenPostgres = %v, want %v that names registry.postgres and says %q", err, tc.want, tc.text)
			}
			for _, part := range []string{"s3cr", "et-word"} {
				if strings.Contains(err.Error(), part) {
					t.Errorf("the error shows the password: %v", err)
				}
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func pairs(address string) string {
	host, port, _ := net.SplitHostPort(address)
	return "host=" + host + " port=" + port
}

// answering speaks the protocol as far as refusing everybody, and returns where.
func answering(t *testing.T, code, message string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go refuse(conn, code, message)
		}
	}()
	return l.Addr().String()
}

func refuse(conn net.Conn, code, message string) {
	defer conn.Close()
	server := pgproto3.NewBackend(conn, conn)
	if _, err := server.ReceiveStartupMessage(); err != nil {
		return
	}
	server.Send(&pgproto3.AuthenticationCleartextPassword{})
	if err := server.Flush(); err != nil {
		return
	}
	if _, err := server.Receive(); err != nil {
		return
	}
	server.Send(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: message})
	server.Flush() // a client that is gone has heard enough
}
