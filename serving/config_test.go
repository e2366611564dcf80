package serving

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestConfigValidate(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Config)
		want   []string // keys named; none: valid
	}{
		"defaults":          {func(*Config) {}, nil},
		"no grace":          {func(c *Config) { c.Grace = 0 }, nil},
		"slow renewal":      {func(c *Config) { c.Renew = time.Second }, []string{"renew: 1s"}},
		"several at once":   {func(c *Config) { c.Lease, c.MaxBody, c.Grace = 0, -1, -1 }, []string{"lease: 0s", "max_body: -1", "grace: -1ns"}},
		"nothing beside":    {func(c *Config) { c.SampleRate, c.KeptRows = 0, 0 }, nil},
		"kept and sampled":  {func(c *Config) { c.SampleRate, c.KeptRows, c.KeptAge = 1001, -1, 0 }, []string{"sample_rate: 1001", "kept_rows: -1", "kept_age: 0s"}},
		"beyond every body": {func(c *Config) { c.MaxEntities = 1 << 21 }, []string{"max_entities: 2097152"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := DefaultConfig()
			tc.change(&c)
			err := c.Validate()
			if (err != nil) != (tc.want != nil) {
				t.Fatalf("Validate = %v, want problems %v", err, tc.want)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Validate = %v, want %s", err, want)
				}
			}
		})
	}
}

func TestNew(t *testing.T) {
	if _, err := New(Config{}, Deps{}); err == nil || !strings.Contains(err.Error(), "max_features") {
		t.Errorf("New with an empty configuration = %v, want its problems", err)
	}
	if _, err := New(DefaultConfig(), Deps{}); err == nil || !strings.Contains(err.Error(), "required") {
		t.Errorf("New without dependencies = %v, want an error", err)
	}
}

func TestNewHTTPServer(t *testing.T) {
	config := DefaultConfig()
	config.MaxBody = 10
	read := make(chan error, 1)
	s := NewHTTPServer(config, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := r.Body.Read(make([]byte, 100))
		for err == nil {
			_, err = r.Body.Read(make([]byte, 100))
		}
		read <- err
	}))
	if s.ReadHeaderTimeout != 5*time.Second || s.MaxHeaderBytes != headSpare*16<<10 || s.IdleTimeout <= 0 {
		t.Errorf("limits = %v, %d, %v", s.ReadHeaderTimeout, s.MaxHeaderBytes, s.IdleTimeout)
	}
	s.Handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", 11))))
	if err := <-read; err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a body past the limit reads %v, want an error", err)
	}
}

func TestPlanCache(t *testing.T) {
	var c planCache
	p := &plan{columns: make([]column, 10)}
	weight := func() (n int) {
		for key, p := range *c.plans.Load() {
			n += len(key) + columnWeight*len(p.columns)
		}
		return n
	}
	for i := range 600 {
		key := strings.Repeat("x", 60<<10) + string(rune('a'+i%26)) + string(rune('a'+i/26))
		c.put([]byte(key), p)
		if c.get([]byte(key)) != p {
			t.Fatalf("plan %d is not kept", i)
		}
		if w := weight(); w > cachedWeight || w != c.weight {
			t.Fatalf("%d plans weigh %d, counted as %d, more than %d", len(*c.plans.Load()), w, c.weight, cachedWeight)
		}
	}
	c.put(make([]byte, cachedKey+1), p)
	if c.get(make([]byte, cachedKey+1)) != nil {
		t.Error("a key past the limit is kept")
	}
}

// TestDefinitionsChange wants requests to follow the definitions, kept plans or
// not.
func TestDefinitionsChange(t *testing.T) {
	f := newFixture(t)
	body := `{"features":["users:f04"],"entities":{"user_id":["a"]}}`
	if status, got := f.post(t, "/get-online-features", body); status != 200 {
		t.Fatalf("before = %d %s, want 200", status, got)
	}
	f.registry.defs = definitions()
	f.registry.defs.Views[1].Features = f.registry.defs.Views[1].Features[:4]
	f.registry.generation++
	f.renew(t)
	if status, got := f.post(t, "/get-online-features", body); status != 404 {
		t.Errorf("after the feature is gone = %d %s, want 404", status, got)
	}
}
