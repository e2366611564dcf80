package h1

import (
	"bytes"
	"fmt"
	"strings"
)

// route is a path that is answered here. One with a wildcard has a text before and after
// it, and the wildcard is one segment.
type route struct {
	before, after string
	name          string // of the wildcard; empty: there is none, and before is the path
	handler       Handler
}

// routes finds what answers a path.
type routes struct {
	exact map[string]*route
	wild  []*route
}

// newRoutes reads patterns as http.ServeMux does: POST, a path, and at most one wildcard,
// which is a segment. Other patterns panic: they are a mistake of the program.
func newRoutes(handlers map[string]Handler) routes {
	out := routes{exact: map[string]*route{}}
	for pattern, h := range handlers {
		path, ok := strings.CutPrefix(pattern, "POST ")
		before, rest, wild := strings.Cut(path, "{")
		name, after, closed := strings.Cut(rest, "}")
		switch {
		case !ok || !strings.HasPrefix(path, "/") || wild != closed || strings.Contains(after, "{") || strings.Contains(name, ".") || wild && name == "":
			panic(fmt.Sprintf("h1: pattern %q is none of this package", pattern))
		case wild:
			out.wild = append(out.wild, &route{before, after, name, h})
		default:
			out.exact[path] = &route{before: path, handler: h}
		}
	}
	return out
}

// find returns the route of the path at target in b, and where its wildcard is; nil if
// nothing here answers it.
func (r *routes) find(b []byte, target span) (*route, span) {
	path := target.of(b)
	if found := r.exact[string(path)]; found != nil {
		return found, span{}
	}
	for _, w := range r.wild {
		if len(path) <= len(w.before)+len(w.after) || string(path[:len(w.before)]) != w.before || string(path[len(path)-len(w.after):]) != w.after {
			continue
		}
		at := span{target.from + uint16(len(w.before)), target.to - uint16(len(w.after))}
		// What a path is cleaned of is not for us.
		if segment := at.of(b); bytes.IndexByte(segment, '/') < 0 && string(segment) != "." && string(segment) != ".." {
			return w, at
		}
	}
	return nil, span{}
}
