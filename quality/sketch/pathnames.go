package sketch

// PathNames reads the paths of json values as profiles count them, by their names.
type PathNames struct{ walker pathWalker }

// Of returns the paths of a json value, each once, until the next call; false if text is no
// JSON. No more than MaxRowPaths are, and none deeper than MaxPathDepth.
func (p *PathNames) Of(text string) ([]string, bool) {
	var h hasher
	ok := p.walker.walk(text, &h, true)
	return p.walker.names, ok
}
