package dashboards

// source is the data source that the reader chooses at the top.
var source = Datasource{Type: "prometheus", UID: "${datasource}"}

// query is an expression with the legend of its series.
type query struct{ expr, legend string }

// option changes a panel that a builder made.
type option func(*Panel)

// panel returns a panel of width w and height h with the queries as targets A, B, …
func panel(kind, title, description string, w, h int, queries []query) Panel {
	p := Panel{
		Type: kind, Title: title, Description: description, GridPos: GridPos{W: w, H: h},
		Datasource: &source, FieldConfig: &FieldConfig{Overrides: []struct{}{}},
	}
	for i, q := range queries {
		p.Targets = append(p.Targets, Target{
			RefID: string(rune('A' + i)), Datasource: source, Expr: q.expr, LegendFormat: q.legend, Range: true,
		})
	}
	return p
}

// stat returns a single figure, the newest value of one query.
func stat(title, description, expr string, options ...option) Panel {
	p := panel("stat", title, description, 4, 4, []query{{expr, ""}})
	p.Targets[0].Range, p.Targets[0].Instant = false, true
	p.Options = StatOptions{ColorMode: "background", GraphMode: "none", ReduceOptions: Reduce{Calcs: []string{"lastNotNull"}}}
	p.FieldConfig.Defaults.Color = &Color{Mode: "thresholds"}
	for _, o := range options {
		o(&p)
	}
	return p
}

// graph returns lines over time, half the width of the dashboard.
func graph(title, description string, queries []query, options ...option) Panel {
	p := panel("timeseries", title, description, 12, 8, queries)
	p.Options = GraphOptions{
		Legend:  Legend{DisplayMode: "table", Placement: "bottom", ShowLegend: true, Calcs: []string{"lastNotNull", "max"}},
		Tooltip: Tooltip{Mode: "multi", Sort: "desc"},
	}
	p.FieldConfig.Defaults.Color = &Color{Mode: "palette-classic"}
	p.FieldConfig.Defaults.Custom = &Custom{DrawStyle: "line", LineWidth: 1, ShowPoints: "never"}
	for _, o := range options {
		o(&p)
	}
	return p
}

// timeline returns the states of several series over time.
func timeline(title, description string, queries []query, words map[string]Word) Panel {
	p := panel("state-timeline", title, description, 12, 8, queries)
	p.Options = TimelineOptions{
		Legend:      Legend{DisplayMode: "list", Placement: "bottom", ShowLegend: true, Calcs: []string{}},
		Tooltip:     Tooltip{Mode: "single", Sort: "none"},
		MergeValues: true, ShowValue: "never", RowHeight: 0.9,
	}
	p.FieldConfig.Defaults.Color = &Color{Mode: "thresholds"}
	p.FieldConfig.Defaults.Custom = &Custom{FillOpacity: 80}
	p.FieldConfig.Defaults.Mappings = []Mapping{{Type: "value", Options: words}}
	return p
}

// heatmap returns the buckets of one native histogram over time.
func heatmap(title, description, expr, unitName string) Panel {
	p := panel("heatmap", title, description, 12, 8, []query{{expr, ""}})
	p.Targets[0].Format, p.Targets[0].Exemplar = "heatmap", true
	p.Options = HeatmapOptions{
		Color:   HeatmapColor{Mode: "scheme", Scheme: "Oranges", Fill: "dark-orange", Exponent: 0.5, Steps: 64},
		YAxis:   HeatmapAxis{Unit: unitName},
		Legend:  HeatmapShow{Show: true},
		CellGap: 1,
	}
	return p
}

// row returns a heading.
func row(title string) Panel {
	return Panel{Type: "row", Title: title, GridPos: GridPos{W: 24, H: 1}, Collapsed: new(false), Panels: []Panel{}}
}

func unit(name string) option {
	return func(p *Panel) { p.FieldConfig.Defaults.Unit = name }
}

func fromZero(p *Panel) { p.FieldConfig.Defaults.Min = new(0.0) }

func stacked(p *Panel) {
	c := p.FieldConfig.Defaults.Custom
	c.DrawStyle, c.FillOpacity, c.Stacking = "bars", 70, &Stacking{Mode: "normal", Group: "A"}
}

func exemplars(p *Panel) {
	for i := range p.Targets {
		p.Targets[i].Exemplar = true
	}
}

// colours paints values green, and from each limit on in the colour beside it.
func colours(steps ...Step) option {
	return func(p *Panel) {
		all := append([]Step{{Color: "green"}}, steps...)
		p.FieldConfig.Defaults.Thresholds = &Thresholds{Mode: "absolute", Steps: all}
		if c := p.FieldConfig.Defaults.Custom; c != nil {
			c.ThresholdsStyle = &ThresholdsStyle{Mode: "dashed"}
		}
	}
}

func from(value float64, color string) Step { return Step{Color: color, Value: &value} }

// place numbers panels and lays them out from left to right in lines, a row
// always on a line of its own.
func place(panels []Panel) []Panel {
	x, y, high := 0, 0, 0
	for i := range panels {
		p := &panels[i]
		if x+p.GridPos.W > 24 {
			x, y, high = 0, y+high, 0
		}
		p.ID, p.GridPos.X, p.GridPos.Y = i+1, x, y
		x, high = x+p.GridPos.W, max(high, p.GridPos.H)
	}
	return panels
}
