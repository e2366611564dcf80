package app

import "sluice/serving"

// FeastConfig says where Feast's doors answer as Feast's Python server does; see
// docs/feast.md.
type FeastConfig struct {
	Missing string `yaml:"missing" name:"missing" help:"Status that Feast's clients get of an entity that does not exist: not_found, or present (without a value) as Feast's Python server says it." placeholder:"WORD"`
	Null    string `yaml:"null" name:"null" help:"Status that they get of a null: null_value, or present." placeholder:"WORD"`
	Expired string `yaml:"expired" name:"expired" help:"Status that they get of a value older than the view's ttl, which is sent all the same: outside_max_age, or present." placeholder:"WORD"`
	Unread  string `yaml:"unread" name:"unread" help:"What they get when a shard of the store does not answer: invalid as status of its values, or refuse: the request fails." placeholder:"WORD"`
	Columns string `yaml:"columns" name:"columns" help:"Columns of their pushes that the view has not: refuse, or ignore." placeholder:"WORD"`
}

func (c FeastConfig) validate(add func(format string, args ...any)) {
	err := serving.FeastConfig(c).Validate()
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			add("feast.%w", one)
		}
	}
}
