package serving

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"sluice/feature"
	"sluice/internal/admission"
	"sluice/internal/auth"
	"sluice/serving/refusal"
)

// doorkeeper decides which requests are let in: every request by the rates of its
// token and project, and a read by how loaded the server is.
type doorkeeper struct {
	limiter          *admission.Limiter // nil: there is no limit
	tokens, projects *admission.Rates
	project          func(token string) string
	shed             *prometheus.CounterVec
	reads            [admission.Priorities][len(shedReasons)]prometheus.Counter
}

// shedReasons are the values of label reason, with what a read was shed for.
var shedReasons = [...]struct {
	name string
	err  error // nil: by a rate
}{{"full", admission.ErrFull}, {"slow", admission.ErrSlow}, {"late", admission.ErrLate}, {"token", nil}, {"project", nil}}

const (
	shedToken   = 3 // positions in shedReasons
	shedProject = 4
)

// newDoorkeeper returns what config says. The error names every problem of it.
func newDoorkeeper(config Config, deps Deps) (*doorkeeper, error) {
	d := &doorkeeper{project: deps.Project}
	var errs [3]error
	if config.Admission.Most > 0 {
		d.limiter, errs[0] = admission.New(config.Admission)
	}
	d.tokens, errs[1] = admission.NewRates(config.TokenRates)
	d.projects, errs[2] = admission.NewRates(config.ProjectRates)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	d.register(deps.Registerer)
	return d, nil
}

func (d *doorkeeper) register(reg prometheus.Registerer) {
	auto := promauto.With(reg)
	d.shed = auto.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "serve", Name: "shed_total",
		Help: "Requests turned away because of load, by priority (critical, default, sheddable) and reason (full, slow, late, token, project).",
	}, []string{"priority", "reason"})
	for p := range admission.Priorities {
		for i, reason := range shedReasons {
			d.reads[p][i] = d.shed.WithLabelValues(p.String(), reason.name)
		}
	}
	for state, get := range map[string]func() int{
		"limit":   func() int { n, _, _ := d.load(); return n },
		"running": func() int { _, n, _ := d.load(); return n },
		"waiting": func() int { _, _, n := d.load(); return n },
	} {
		auto.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: "serve", Name: "concurrency", ConstLabels: prometheus.Labels{"state": state},
			Help: "Reads, by state: at work (running), waiting to be (waiting), and how many may be at work (limit; 0: any number).",
		}, func() float64 { return float64(get()) })
	}
}

func (d *doorkeeper) load() (limit, running, waiting int) {
	if d.limiter == nil {
		return 0, 0, 0
	}
	return d.limiter.Limit()
}

// retryAfter is what a client is told that was shed because of load: as long as it
// takes the limit to settle, about.
const retryAfter = time.Second

// charge takes a token of whoever makes the request of ctx, and one of its project.
func (d *doorkeeper) charge(ctx context.Context) error {
	if d.tokens == nil && d.projects == nil {
		return nil
	}
	name := auth.Name(ctx)
	if after, rate, ok := d.tokens.Take(name); !ok {
		return d.overRate(shedToken, "token "+name, "serve.token_rates", rate, after)
	}
	if d.projects == nil || d.project == nil {
		return nil
	}
	project := d.project(name)
	if project == "" {
		return nil
	}
	if after, rate, ok := d.projects.Take(project); !ok {
		return d.overRate(shedProject, "project "+project, "serve.project_rates", rate, after)
	}
	return nil
}

func (d *doorkeeper) overRate(reason int, who, key string, rate float64, after time.Duration) error {
	d.reads[admission.Default][reason].Inc()
	return &refusal.Shed{Problem: refusal.Of(feature.CodeLimit, fmt.Sprintf("send fewer requests, or larger ones; try again in %s; %s sets the limit", after.Round(time.Millisecond), key),
		"%s is over its limit of %g requests/s", who, rate), After: after}
}

// enter lets q in, and returns what leave wants. The error is a *refusal.Shed, or that ctx
// has ended.
func (d *doorkeeper) enter(ctx context.Context, q *query) (admission.Ticket, error) {
	if d.limiter == nil {
		return admission.Ticket{}, nil
	}
	p := max(q.priority, q.plan.priority)
	t, err := d.limiter.Enter(ctx, p)
	if err == nil {
		return t, nil
	}
	for i, reason := range shedReasons {
		if reason.err != nil && errors.Is(err, reason.err) {
			d.reads[p][i].Inc()
			limit, _, waiting := d.limiter.Limit()
			return t, &refusal.Shed{Problem: refusal.Of(feature.CodeLimit, "try again in a second, with a back-off that grows; reads of a higher priority go first",
				"the server is overloaded: %v (priority %s; %d may be at work, %d wait)", reason.err, p, limit, waiting), After: retryAfter}
		}
	}
	return t, fmt.Errorf("wait to be let in: %w", err)
}

// leave says that q, which was let in with t, ended with err. Where the store did not
// give all rows, how long it took is no sign of load.
func (d *doorkeeper) leave(t admission.Ticket, q *query, err error) {
	if d.limiter == nil {
		return
	}
	measured := err == nil
	for _, a := range q.answers {
		measured = measured && a.fault == nil
	}
	d.limiter.Leave(t, q.rows*len(q.plan.parts), measured)
}
