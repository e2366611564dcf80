package notify

import (
	"time"
)

const (
	maxDetails   = 4    // events told apart in one reply; with the rest counted it stays under Slack's limit
	maxIncidents = 1000 // that are remembered; beyond, the one that nothing happened to for longest is forgotten
	firstBackoff = 2 * time.Second
	lastBackoff  = 5 * time.Minute
)

// incident is what is remembered of an incident between two looks at what waits. A zero
// ref means that no message of this process shows it yet.
type incident struct {
	ref       ref
	attempts  int       // that failed, since the last that did not
	notBefore time.Time // when it is tried again
	touched   time.Time
}

// queue chooses what is told next. What waits is the outbox's; here is where its messages
// are and which of them failed. It belongs to one goroutine.
type queue struct {
	incidents map[string]*incident
}

// next returns the events of the first incident among those that wait that may be tried at
// now. If there is none, wait is when one may be, 0 for never.
func (q *queue) next(waiting []Event, now time.Time) (news []Event, wait time.Duration) {
	for _, e := range waiting {
		left := q.incident(e.key(), now).notBefore.Sub(now)
		if left <= 0 {
			return of(waiting, e.key()), 0
		}
		if wait == 0 || left < wait {
			wait = left
		}
	}
	return nil, wait
}

// of returns the events of one incident.
func of(waiting []Event, key string) (news []Event) {
	for _, e := range waiting {
		if e.key() == key {
			news = append(news, e)
		}
	}
	return news
}

// incident returns what is remembered of an incident.
func (q *queue) incident(key string, now time.Time) *incident {
	i := q.incidents[key]
	if i == nil {
		if len(q.incidents) >= maxIncidents {
			q.forget()
		}
		i = &incident{}
		q.incidents[key] = i
	}
	i.touched = now
	return i
}

// forget removes the incident that nothing happened to for longest: its next event begins a
// new message.
func (q *queue) forget() {
	oldest := ""
	for key, i := range q.incidents {
		if oldest == "" || i.touched.Before(q.incidents[oldest].touched) {
			oldest = key
		}
	}
	delete(q.incidents, oldest)
}

// told records that news was delivered, in the message r. An incident that it resolves is
// over.
func (q *queue) told(news []Event, r ref) {
	last := news[len(news)-1]
	if last.Resolved {
		delete(q.incidents, last.key())
		return
	}
	i := q.incidents[last.key()]
	i.ref, i.attempts, i.notBefore = r, 0, time.Time{}
}

// retry records that news could not be delivered, and when that is tried again. r is the
// message that shows the incident all the same, if one does.
func (q *queue) retry(news []Event, r ref, now time.Time) (attempts int) {
	i := q.incidents[news[0].key()]
	i.ref = r
	i.notBefore = now.Add(min(firstBackoff<<min(i.attempts, 10), lastBackoff))
	i.attempts++
	return i.attempts
}
