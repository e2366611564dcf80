package scenario

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// house is a server that is started with flags of its own, and all its doors.
type house struct {
	*server
	grpc  string
	kafka string
	token string // sent with every call, if it is not empty
}

var doorAddresses = regexp.MustCompile(`http (\S+), grpc (\S+), kafka \[(\S+)\]`)

// openHouse starts a server on a folder of its own.
func openHouse(t *testing.T, flags ...string) *house {
	t.Helper()
	h := &house{server: newServer(t)}
	h.open(flags...)
	return h
}

// open starts the binary on h's folder, on free ports, and waits until it is
// ready. Flags come after the usual ones and override them.
func (h *house) open(flags ...string) {
	h.t.Helper()
	h.cmd = exec.Command(binary, append([]string{"run", "--clock=manual", "--data=" + h.dir, "--listen.http=127.0.0.1:0",
		"--listen.grpc=127.0.0.1:0", "--listen.kafka=127.0.0.1:0", "--log.level=warn"}, flags...)...)
	h.cmd.Stderr = &h.log
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	found := doorAddresses.FindStringSubmatch(line)
	if found == nil {
		h.cmd.Wait()
		h.t.Fatalf("the server printed %q (%v), no addresses; its log:\n%s", line, err, tail(h.log.Bytes(), 4000))
	}
	base := "http://" + found[1]
	h.base.Store(&base)
	h.grpc, h.kafka = found[2], found[3]
	h.until("ready", time.Minute, func() error { return h.get("/ready", nil) })
}

// answer is what a door answered.
type answer struct {
	status int
	body   string
}

func (a answer) String() string {
	body := a.body
	if len(body) > 600 {
		body = body[:600] + "..."
	}
	return fmt.Sprintf("%d %s", a.status, body)
}

// problem is an error in the contract's form.
type problem struct{ Code, Message, Hint string }

// problem returns the error that an answer holds; false unless it has exactly the
// contract's form.
func (a answer) problem() (problem, bool) {
	var form map[string]map[string]string
	if json.Unmarshal([]byte(a.body), &form) != nil || len(form) != 1 || len(form["error"]) != 3 {
		return problem{}, false
	}
	e := form["error"]
	p := problem{e["code"], e["message"], e["hint"]}
	return p, p.Code != "" && p.Message != ""
}

// call asks h over HTTP.
func (h *house) call(method, path, body string) answer {
	h.t.Helper()
	req, err := http.NewRequest(method, *h.base.Load()+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if h.token != "" {
		req.Header.Set("Authorization", "Bearer "+h.token)
	}
	resp, err := client.Do(req)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatalf("%s %s: read answer: %v", method, path, err)
	}
	return answer{resp.StatusCode, string(text)}
}

// outcome is how a command ended.
type outcome struct {
	code        int
	out, errout string
}

func (o outcome) String() string {
	return fmt.Sprintf("exit %d, output %q, errors %q", o.code, tail([]byte(o.out), 1500), tail([]byte(o.errout), 1500))
}

// once runs the binary and waits until it ends.
func once(t *testing.T, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatalf("sluice %v: %v", args, err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errout.String()}
}

// command runs a client command against h.
func (h *house) command(t *testing.T, args ...string) outcome {
	t.Helper()
	args = append(args, "--server", *h.base.Load())
	if h.token != "" {
		args = append(args, "--token", h.token)
	}
	return once(t, args...)
}

// write makes a file in a folder of h and returns its path.
func (h *house) write(name, text string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, "files", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// versionsOf describes a view's versions, but for how far sweeping is.
func (h *house) versionsOf(t *testing.T, view string) string {
	t.Helper()
	var list struct {
		Generation int
		Visible    []int
		Items      []struct {
			Version, Rows                        int
			Kind, State, Verdict, Digest, Reason string
		}
	}
	if err := h.get("/api/v1/views/"+view+"/versions", &list); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%+v", list)
}

// apply puts definitions in force.
func (h *house) apply(text string) {
	h.t.Helper()
	body, err := json.Marshal(map[string]any{"files": []map[string]string{{"name": "features.yaml", "text": text}}, "by": "test"})
	if err != nil {
		h.t.Fatal(err)
	}
	if a := h.call(http.MethodPost, "/api/v1/apply", string(body)); a.status != http.StatusOK {
		h.t.Fatalf("apply: %s", a)
	}
}
