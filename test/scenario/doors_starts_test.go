package scenario

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// TestRefusedStarts starts with flags and files that cannot be used.
func TestRefusedStarts(t *testing.T) {
	dir := t.TempDir()
	files := &house{server: &server{site: &site{t: t, dir: dir}}}
	tokens := files.write("tokens.yaml", tokensFile())
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, tc := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"HTTP on all interfaces":       {[]string{"--listen.http=0.0.0.0:0"}, 2, []string{"listen.http", "0.0.0.0:0", "auth.tokens_file"}},
		"HTTP without host":            {[]string{"--listen.http=:0"}, 2, []string{"listen.http", "auth.tokens_file"}},
		"gRPC on all interfaces":       {[]string{"--listen.grpc=[::]:0"}, 2, []string{"listen.grpc", "auth.tokens_file"}},
		"broker on all interfaces":     {[]string{"--listen.kafka=0.0.0.0:0"}, 2, []string{"listen.kafka", "kafka.brokers"}},
		"admin on all interfaces":      {[]string{"--listen.admin=0.0.0.0:0"}, 2, []string{"listen.admin"}},
		"HTTP on a host's name":        {[]string{"--listen.http=example.com:80"}, 2, []string{"listen.http", "example.com"}},
		"no port":                      {[]string{"--listen.http=127.0.0.1"}, 2, []string{"listen.http", "HOST:PORT"}},
		"port taken":                   {[]string{"--listen.http=" + taken.Addr().String()}, 1, []string{"listen.http", taken.Addr().String()}},
		"one port twice":               {[]string{"--listen.http=127.0.0.1:7001", "--listen.grpc=127.0.0.1:7001"}, 2, []string{"listen.grpc", "listen.http"}},
		"target tap":                   {[]string{"-target=tap"}, 2, []string{"target tap", "kafka.brokers", "registry.postgres", "redis.addrs"}},
		"target gate with a broker":    {[]string{"-target=gate", "--kafka.brokers=127.0.0.1:9"}, 2, []string{"target gate", "the registry", "the online store"}},
		"unknown target":               {[]string{"-target=sink"}, 2, []string{"sink", "all, tap, gate or serve"}},
		"unknown clock":                {[]string{"-clock=water"}, 2, []string{"water"}},
		"unknown flag":                 {[]string{"--listen.smtp=127.0.0.1:25"}, 2, []string{"--listen.smtp"}},
		"no configuration":             {[]string{"-config.file=" + filepath.Join(dir, "none.yaml")}, 2, []string{"none.yaml"}},
		"unknown key":                  {[]string{"-config.file=" + files.write("key.yaml", "data: x\nlisten: {htpp: 127.0.0.1:0}\n")}, 2, []string{"key.yaml:2", "htpp", "did you mean"}},
		"configuration of no YAML":     {[]string{"-config.file=" + files.write("no.yaml", "data: [\n")}, 2, []string{"no.yaml"}},
		"configuration of wrong type":  {[]string{"-config.file=" + files.write("type.yaml", "kafka:\n  partitions: many\n")}, 2, []string{"type.yaml:2", "many"}},
		"two documents":                {[]string{"-config.file=" + files.write("two.yaml", "data: x\n---\ndata: y\n")}, 2, []string{"two.yaml"}},
		"no partitions":                {[]string{"--kafka.partitions=0"}, 2, []string{"kafka.partitions"}},
		"one topic twice":              {[]string{"--kafka.profiles=sluice.writes"}, 2, []string{"kafka.profiles", "sluice.writes"}},
		"unknown log level":            {[]string{"--log.level=loud"}, 2, []string{"log.level", "loud"}},
		"no tokens file":               {[]string{"--auth.tokens_file=" + filepath.Join(dir, "none.yaml")}, 2, []string{"auth.tokens_file", "none.yaml"}},
		"tokens of nobody":             {[]string{"--auth.tokens_file=" + files.write("empty.yaml", "")}, 2, []string{"auth.tokens_file"}},
		"tokens in clear":              {[]string{"--auth.tokens_file=" + files.write("clear.yaml", "- {name: a, role: reader, token: secret}\n")}, 2, []string{"auth.tokens_file", "token"}},
		"digest too short":             {[]string{"--auth.tokens_file=" + files.write("short.yaml", "- {name: a, role: reader, sha256: abcd}\n")}, 2, []string{"auth.tokens_file", "64 hex digits"}},
		"unknown role":                 {[]string{"--auth.tokens_file=" + files.write("role.yaml", strings.Replace(tokensFile(), "role: writer", "role: admin", 1))}, 2, []string{"admin", "reader, writer or operator"}},
		"token twice":                  {[]string{"--auth.tokens_file=" + files.write("twice.yaml", tokensFile()+tokensFile())}, 2, []string{"twice"}},
		"data that is a file":          {[]string{"--data=" + tokens}, 1, []string{"tokens.yaml"}},
		"server that is not there yet": {[]string{"--redis.addrs=127.0.0.1:9"}, 1, []string{"redis.addrs"}},
		"secrets in the error":         {[]string{"--registry.postgres=host port user:hunter2"}, 2, []string{"registry.postgres"}},
		"slack without token":          {[]string{"--slack.channel=#ops", "--slack.token_env=NO_SUCH_VARIABLE"}, 2, []string{"slack.token_env", "NO_SUCH_VARIABLE"}},
		"argument":                     {[]string{"now"}, 2, []string{"now"}},
		"everything at once":           {[]string{"--listen.http=0.0.0.0:0", "--kafka.partitions=0", "--log.level=loud"}, 2, []string{"listen.http", "kafka.partitions", "log.level"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"run", "--data=" + filepath.Join(dir, "data"), "--listen.http=127.0.0.1:0", "--listen.grpc=127.0.0.1:0", "--listen.kafka=127.0.0.1:0"}, tc.args...)
			o := once(t, args...)
			if o.code != tc.code || o.out != "" {
				t.Errorf("sluice run %v: %s, want exit %d and no output", tc.args, o, tc.code)
			}
			for _, part := range tc.says {
				if !strings.Contains(o.errout, part) {
					t.Errorf("sluice run %v: %s, want %q in its errors", tc.args, o, part)
				}
			}
			for _, hidden := range []string{"goroutine ", "hunter2", "secret of"} {
				if strings.Contains(o.errout, hidden) {
					t.Errorf("sluice run %v: %s, want no %q in its errors", tc.args, o, hidden)
				}
			}
		})
	}
}
