package serving

import (
	"strings"
	"time"

	"sluice/feature"
	"sluice/serving/jsonform"
	"sluice/serving/refusal"
)

// policy says what to do with rows outside the view's ttl and with a view whose
// newest row is older than freshness.critical. The numbers are those of
// sluice.v1.Policy.
type policy uint8

const (
	policyServe   policy = iota // give the values with their status
	policyFlag                  // the same, and say so in the provenance
	policyNull                  // give null instead
	policyDefault               // give the feature's default instead; null where it has none
	policyRefuse                // refuse the request
)

var policyNames = [...]string{"serve", "flag", "null", "default", "refuse"}

// parsePolicy reads the word of a JSON request; empty is serve.
func parsePolicy(name string) (policy, error) {
	if name == "" {
		return policyServe, nil
	}
	for p, n := range policyNames {
		if n == name {
			return policy(p), nil
		}
	}
	return 0, refusal.Invalid("want serve, flag, null, default or refuse", "policy %s is not known", refusal.Quoted(name))
}

// check refuses a policy that there is not.
func (p policy) check() error {
	if p > policyRefuse {
		return refusal.Invalid("want serve, flag, null, default or refuse", "policy %d is not known", p)
	}
	return nil
}

// withholds reports whether values that are too old are not given.
func (p policy) withholds() bool { return p == policyNull || p == policyDefault }

// apply does with the rows of a part what p says. old is the age of the view in
// nanoseconds: of the newest of the rows read and of the windows it shows.
func (p policy) apply(a *partAnswer, old int64) error {
	if a.fault != nil && p == policyRefuse {
		return a.refuseUnread()
	}
	a.instead = nil
	if p == policyDefault {
		a.instead = a.part.defaults
	}
	if p.withholds() && a.kept > 0 {
		a.withholdKept()
	}
	v := a.part.view
	critical := v.critical > 0 && old > v.critical
	if !critical && a.expired == 0 || p == policyServe {
		return nil
	}
	switch p {
	case policyFlag:
		a.provenance.Stale = true
	case policyNull, policyDefault:
		a.provenance.Stale = true
		a.withhold(critical)
	case policyRefuse:
		if critical {
			return refusal.Final("use policy flag to read it all the same", "view %s: its newest row is %s old, more than freshness.critical of %s",
				v.Name, rounded(old), time.Duration(v.critical))
		}
		return refusal.Final("use policy flag to read them all the same", "view %s: %d of %d rows are older than the ttl of %s, the oldest %s",
			v.Name, a.expired, len(a.rows), time.Duration(a.part.ttl), rounded(a.oldest))
	}
	return nil
}

// withhold takes back what is too old: all rows that were found, or the values outside
// their ttl.
func (a *partAnswer) withhold(all bool) {
	slots := len(a.part.features)
	for row := range a.rows {
		r := &a.rows[row]
		switch {
		case !all && r.state == rowExpired && a.part.ttls != nil:
			for slot := range slots {
				if a.state(row, slot) == rowExpired {
					a.withholdCell(row, slot)
				}
			}
		case r.state == rowExpired, all && r.state == rowFound:
			r.state = rowWithheld
			a.withholdRow(row)
		}
	}
}

// withholdRow puts what is given instead in the place of a row's values.
func (a *partAnswer) withholdRow(row int) {
	for slot := range a.part.features {
		a.withholdCell(row, slot)
	}
}

func (a *partAnswer) withholdCell(row, slot int) {
	var value []byte
	if a.instead != nil {
		value = a.instead[slot]
	}
	a.cells[row*len(a.part.features)+slot] = value
}

// fallBack fills in the defaults of a complete part.
func (p *part) fallBack() {
	for slot, f := range p.features {
		if f.ID == 0 {
			continue // computed, of defaults where policy default gives them
		}
		if value := p.defaultOf(f); value != nil {
			if p.defaults == nil {
				p.defaults = make([][]byte, len(p.features))
			}
			p.defaults[slot] = value
		}
	}
}

// defaultOf returns the default of a feature, or of what a path into one leads to, as a
// cell holds it; nil if there is none. Definitions were checked when they were applied: one
// that this version of the program cannot read is none.
func (p *part) defaultOf(f *feature.Feature) []byte {
	of := &p.view.Features[p.view.position(f)]
	if len(of.Default) == 0 {
		return nil
	}
	v, err := jsonform.Parse(of.Type, of.Default)
	if err != nil || v.IsNull() {
		return nil
	}
	whole := feature.AppendValue(nil, v)
	if f == of {
		return whole
	}
	_, steps, _ := strings.Cut(f.Name, ".")
	path, err := feature.ParsePath(steps)
	if err != nil {
		return nil
	}
	value, err := path.AppendWire(nil, whole)
	if err != nil || len(value) == 0 {
		return nil
	}
	return value
}

func rounded(nanos int64) time.Duration { return time.Duration(nanos).Round(time.Second) }

// refuseVector is the answer of a view whose vector refuses reads.
func refuseVector(v *view) error {
	return refusal.Final("publish or approve a newer version", "view %s refuses reads: a rollback left only rows past freshness.critical", v.Name)
}

// provenance says where a view's rows come from, as the contract shows it.
type provenance struct {
	Version    feature.Version
	Verdict    string
	Generation uint64
	AgeSeconds float64
	Stale      bool
	Fallback   string
	CachedRows int // rows that are from this server's memory, where they are what the store has
}
