package serving

import (
	"time"

	"sluice/feature"
)

// policy says what to do with rows outside the view's ttl and with a view whose
// newest row is older than freshness.critical. The numbers are those of
// sluice.v1.Policy.
type policy uint8

const (
	policyServe   policy = iota // give the values with their status
	policyFlag                  // the same, and say so in the provenance
	policyNull                  // give null instead
	policyDefault               // give the feature's default: refused, features have none
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
			return policy(p), policy(p).check()
		}
	}
	return 0, invalid("want serve, flag, null, default or refuse", "policy %s is not known", quoted(name))
}

// check refuses a policy that cannot be kept.
func (p policy) check() error {
	if p > policyRefuse {
		return invalid("want serve, flag, null, default or refuse", "policy %d is not known", p)
	}
	if p == policyDefault {
		return invalid("use policy null", "policy default: no feature has a default in its definition")
	}
	return nil
}

// apply does with the rows of a part what p says. old is the age of the view in
// nanoseconds: of the newest of the rows read and of the windows it shows.
func (p policy) apply(a *partAnswer, old int64) error {
	if a.fault != nil && p == policyRefuse {
		return a.refuseUnread()
	}
	if p == policyNull && a.kept > 0 {
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
	case policyNull:
		a.provenance.Stale = true
		a.withhold(critical)
	case policyRefuse:
		if critical {
			return refused("use policy flag to read it all the same", "view %s: its newest row is %s old, more than freshness.critical of %s",
				v.Name, rounded(old), time.Duration(v.critical))
		}
		return refused("use policy flag to read them all the same", "view %s: %d of %d rows are older than the ttl of %s, the oldest %s",
			v.Name, a.expired, len(a.rows), time.Duration(a.part.ttl), rounded(a.oldest))
	}
	return nil
}

// withhold empties what is too old: all rows that were found, or the values outside
// their ttl.
func (a *partAnswer) withhold(all bool) {
	slots := len(a.part.features)
	for row := range a.rows {
		r := &a.rows[row]
		switch {
		case !all && r.state == rowExpired && a.part.ttls != nil:
			for slot := range slots {
				if a.state(row, slot) == rowExpired {
					a.cells[row*slots+slot] = nil
				}
			}
		case r.state == rowExpired, all && r.state == rowFound:
			r.state = rowWithheld
			clear(a.cells[row*slots : (row+1)*slots])
		}
	}
}

func rounded(nanos int64) time.Duration { return time.Duration(nanos).Round(time.Second) }

// refuseVector is the answer of a view whose vector refuses reads.
func refuseVector(v *view) error {
	return refused("publish or approve a newer version", "view %s refuses reads: a rollback left only rows past freshness.critical", v.Name)
}

// provenance says where a view's rows come from, as the contract shows it.
type provenance struct {
	Version    feature.Version
	Verdict    string
	Generation uint64
	AgeSeconds float64
	Stale      bool
	Fallback   string
}
