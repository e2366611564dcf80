package tap

import (
	"cmp"
	"fmt"
	"slices"

	"sluice/feature"
	"sluice/quality"
)

// viewSource is a view made ready for reading its writes. It is immutable.
type viewSource struct {
	*decoder
	checker *quality.Checker
}

func newViewSource(view *feature.View) (*viewSource, error) {
	checker, err := quality.NewChecker(view)
	if err != nil {
		return nil, fmt.Errorf("view %s: %w", view.Name, err)
	}
	return &viewSource{newDecoder(view), checker}, nil
}

// sources is one generation of definitions, by topic. It is immutable.
type sources struct {
	generation uint64
	decides    feature.Defined // the generation that is compiled: a former one, if this one cannot be
	byName     map[string]*viewSource
	topics     map[string][]*viewSource // in the order of the views' ids
	guarded    map[string]bool          // topics with a view whose rows must hold no card number
}

// compile makes definitions ready. Views without a topic of their own read the
// default one, which is always among the topics.
func compile(defs *feature.Definitions, generation uint64, defaultTopic string) (*sources, error) {
	s := &sources{generation: generation, decides: feature.Defined{Generation: generation}, byName: map[string]*viewSource{}, topics: map[string][]*viewSource{defaultTopic: nil}, guarded: map[string]bool{}}
	if defs == nil {
		return s, nil
	}
	s.decides.Digest = defs.Digest()
	for i := range defs.Views {
		view := &defs.Views[i]
		src, err := newViewSource(view)
		if err != nil {
			return nil, fmt.Errorf("definitions of generation %d: %w", generation, err)
		}
		s.byName[view.Name] = src
		topic := TopicOf(view, defaultTopic)
		s.topics[topic] = append(s.topics[topic], src)
		s.guarded[topic] = s.guarded[topic] || view.Tokens()
	}
	for _, views := range s.topics {
		slices.SortFunc(views, func(a, b *viewSource) int { return cmp.Compare(a.view.ID, b.view.ID) })
	}
	return s, nil
}

// TopicOf returns the topic that a view's writes are on.
func TopicOf(view *feature.View, defaultTopic string) string {
	return cmp.Or(view.Source.Topic, defaultTopic)
}

// names returns the topics, sorted.
func (s *sources) names() []string {
	var names []string
	for t := range s.topics {
		names = append(names, t)
	}
	slices.Sort(names)
	return names
}

// reads returns the view of that name if it reads topic; nil otherwise.
func (s *sources) reads(topic, view string) *viewSource {
	src := s.byName[view]
	if src == nil || !slices.Contains(s.topics[topic], src) {
		return nil
	}
	return src
}
