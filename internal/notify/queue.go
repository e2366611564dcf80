package notify

import (
	"slices"
	"time"
)

const (
	maxDetails   = 4    // events told apart in one reply; with the rest counted it stays under Slack's limit
	maxIncidents = 1000 // open at once; beyond, the oldest is forgotten
	maxAttempts  = 10   // deliveries tried before an incident is given up, about 20 minutes
	firstBackoff = 2 * time.Second
	lastBackoff  = 5 * time.Minute
)

// incident is what the queue keeps of one incident. A zero ref means that no
// message shows it yet.
type incident struct {
	key       string
	ref       ref
	latest    Event
	details   []string // of events not yet told in the thread
	more      int      // events beyond maxDetails
	queued    bool
	attempts  int
	notBefore time.Time // when it is tried again
	touched   time.Time
}

// queue holds a channel's incidents, and those of them with news in the order
// in which they are told. It is guarded by its owner.
type queue struct {
	open    map[string]*incident
	waiting []*incident
}

// add merges an event into its incident. merged reports whether the incident
// was waiting already; dropped is how many incidents with untold news had to go.
func (q *queue) add(e Event, now time.Time) (merged bool, dropped int) {
	i := q.open[e.key()]
	if i == nil {
		if len(q.open) >= maxIncidents {
			dropped = q.forget()
		}
		i = &incident{key: e.key()}
		q.open[i.key] = i
	}
	i.latest, i.touched = e, now
	if len(i.details) < maxDetails {
		i.details = append(i.details, detail(e))
	} else {
		i.more++
	}
	if i.queued {
		return true, dropped
	}
	i.queued = true
	q.waiting = append(q.waiting, i)
	return false, dropped
}

// forget removes the incident that nothing happened to for longest, and returns
// 1 if it was waiting.
func (q *queue) forget() int {
	var oldest *incident
	for _, i := range q.open {
		if oldest == nil || i.touched.Before(oldest.touched) {
			oldest = i
		}
	}
	return q.remove(oldest)
}

// remove takes an incident out, and returns 1 if it was waiting.
func (q *queue) remove(i *incident) int {
	if q.open[i.key] == i {
		delete(q.open, i.key)
	}
	at := slices.Index(q.waiting, i)
	if at < 0 {
		return 0
	}
	q.waiting = slices.Delete(q.waiting, at, at+1)
	return 1
}

// next takes the first incident that may be tried at now off the waiting ones,
// with its news. If there is none, wait is when one may be, 0 for never.
func (q *queue) next(now time.Time) (i *incident, news incident, wait time.Duration) {
	for at, i := range q.waiting {
		if left := i.notBefore.Sub(now); left > 0 {
			if wait == 0 || left < wait {
				wait = left
			}
			continue
		}
		q.waiting = slices.Delete(q.waiting, at, at+1)
		news = *i
		i.queued, i.details, i.more = false, nil, 0
		return i, news, 0
	}
	return nil, incident{}, wait
}

// told records that the news was delivered; a resolved incident without newer
// news is over.
func (q *queue) told(i *incident, r ref) {
	i.ref, i.attempts, i.notBefore = r, 0, time.Time{}
	if i.latest.Resolved && !i.queued {
		q.remove(i)
	}
}

// retry puts news back that could not be delivered, before what came since,
// and reports false if it is given up.
func (q *queue) retry(i *incident, news incident, r ref, now time.Time) bool {
	i.ref = r
	i.attempts++
	if i.attempts >= maxAttempts {
		q.remove(i)
		return false
	}
	i.notBefore = now.Add(min(firstBackoff<<(i.attempts-1), lastBackoff))
	all := slices.Concat(news.details, i.details)
	kept := min(len(all), maxDetails)
	i.details, i.more = all[:kept], news.more+i.more+len(all)-kept
	if !i.queued && q.open[i.key] == i {
		i.queued = true
		q.waiting = append(q.waiting, i)
	}
	return true
}
