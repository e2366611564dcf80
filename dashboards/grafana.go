package dashboards

// The types below are the part of Grafana's classic (v1) dashboard JSON that
// the dashboards use. Grafana 10 to 13 load it.

// Dashboard is one dashboard.
type Dashboard struct {
	UID           string      `json:"uid"`
	Title         string      `json:"title"`
	Description   string      `json:"description"`
	Tags          []string    `json:"tags"`
	Timezone      string      `json:"timezone"`
	Editable      bool        `json:"editable"`
	GraphTooltip  int         `json:"graphTooltip"` // 1: one crosshair over all panels
	SchemaVersion int         `json:"schemaVersion"`
	Refresh       string      `json:"refresh"`
	Time          Range       `json:"time"`
	Templating    Templating  `json:"templating"`
	Annotations   Annotations `json:"annotations"`
	Panels        []Panel     `json:"panels"`
}

// Range is a time range in Grafana's notation.
type Range struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Templating holds the variables of a dashboard.
type Templating struct {
	List []Variable `json:"list"`
}

// Variable is a dashboard variable: a choice of data source, or of the values of
// a label.
type Variable struct {
	Name       string      `json:"name"`
	Label      string      `json:"label"`
	Type       string      `json:"type"` // datasource | query
	Query      string      `json:"query"`
	Definition string      `json:"definition,omitempty"`
	Datasource *Datasource `json:"datasource,omitempty"`
	Multi      bool        `json:"multi"`
	IncludeAll bool        `json:"includeAll"`
	AllValue   string      `json:"allValue,omitempty"`
	Refresh    int         `json:"refresh,omitempty"` // 2: whenever the time range changes
	Sort       int         `json:"sort,omitempty"`    // 1: alphabetical
	Current    *Current    `json:"current,omitempty"` // nil lets Grafana choose
}

// Current is the value that a variable has at first.
type Current struct {
	Text  string `json:"text"`
	Value string `json:"value"`
}

// Datasource names the data source of a panel, query or variable.
type Datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// Annotations holds the events drawn over all panels.
type Annotations struct {
	List []Annotation `json:"list"`
}

// Annotation is a query whose non-zero samples are drawn as events.
type Annotation struct {
	Name        string     `json:"name"`
	Datasource  Datasource `json:"datasource"`
	Enable      bool       `json:"enable"`
	IconColor   string     `json:"iconColor"`
	Expr        string     `json:"expr"`
	Step        string     `json:"step"`
	TitleFormat string     `json:"titleFormat"`
}

// Panel is one panel, or a row that heads those below it.
type Panel struct {
	ID          int          `json:"id"`
	Type        string       `json:"type"` // row | stat | timeseries | state-timeline | heatmap
	Title       string       `json:"title"`
	Description string       `json:"description,omitempty"`
	GridPos     GridPos      `json:"gridPos"`
	Datasource  *Datasource  `json:"datasource,omitempty"`
	Targets     []Target     `json:"targets,omitempty"`
	FieldConfig *FieldConfig `json:"fieldConfig,omitempty"`
	Options     any          `json:"options,omitempty"`   // one of the Options types below
	Collapsed   *bool        `json:"collapsed,omitempty"` // rows only
	Panels      []Panel      `json:"panels,omitzero"`     // rows only: those of a collapsed one
}

// GridPos is where a panel stands on the grid, which is 24 columns wide.
type GridPos struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

// Target is one query of a panel.
type Target struct {
	RefID        string     `json:"refId"`
	Datasource   Datasource `json:"datasource"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat"`
	Range        bool       `json:"range"`
	Instant      bool       `json:"instant"`
	Exemplar     bool       `json:"exemplar,omitempty"`
	Format       string     `json:"format,omitempty"` // heatmap, else time series
}

// FieldConfig says how values are shown.
type FieldConfig struct {
	Defaults  Field      `json:"defaults"`
	Overrides []struct{} `json:"overrides"`
}

// Field is the part of FieldConfig that holds for every series of a panel.
type Field struct {
	Unit       string      `json:"unit,omitempty"`
	Decimals   *int        `json:"decimals,omitempty"`
	Min        *float64    `json:"min,omitempty"`
	Max        *float64    `json:"max,omitempty"`
	Color      *Color      `json:"color,omitempty"`
	Thresholds *Thresholds `json:"thresholds,omitempty"`
	Mappings   []Mapping   `json:"mappings,omitempty"`
	Custom     *Custom     `json:"custom,omitempty"`
}

// Color says how a series gets its colour.
type Color struct {
	Mode string `json:"mode"`
}

// Thresholds colours values by steps; the first step has no value.
type Thresholds struct {
	Mode  string `json:"mode"`
	Steps []Step `json:"steps"`
}

// Step is a colour from a value on.
type Step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

// Mapping shows values as words.
type Mapping struct {
	Type    string          `json:"type"`
	Options map[string]Word `json:"options"`
}

// Word is what a mapped value is shown as.
type Word struct {
	Text  string `json:"text"`
	Color string `json:"color"`
	Index int    `json:"index"`
}

// Custom holds the drawing options of time series and state timelines.
type Custom struct {
	DrawStyle       string           `json:"drawStyle,omitempty"` // line | bars
	LineWidth       int              `json:"lineWidth"`
	FillOpacity     int              `json:"fillOpacity"`
	ShowPoints      string           `json:"showPoints,omitempty"`
	SpanNulls       bool             `json:"spanNulls"`
	Stacking        *Stacking        `json:"stacking,omitempty"`
	ThresholdsStyle *ThresholdsStyle `json:"thresholdsStyle,omitempty"`
}

// Stacking stacks series upon each other.
type Stacking struct {
	Mode  string `json:"mode"` // none | normal
	Group string `json:"group"`
}

// ThresholdsStyle draws thresholds into a graph.
type ThresholdsStyle struct {
	Mode string `json:"mode"` // off | dashed
}

// Legend says how a panel lists its series.
type Legend struct {
	DisplayMode string   `json:"displayMode"`
	Placement   string   `json:"placement"`
	ShowLegend  bool     `json:"showLegend"`
	Calcs       []string `json:"calcs"`
}

// Tooltip says what a panel shows under the pointer.
type Tooltip struct {
	Mode string `json:"mode"`
	Sort string `json:"sort"`
}

// StatOptions are the options of a single figure.
type StatOptions struct {
	ColorMode     string `json:"colorMode"`
	GraphMode     string `json:"graphMode"`
	ReduceOptions Reduce `json:"reduceOptions"`
}

// Reduce says which value of a series becomes the figure.
type Reduce struct {
	Calcs  []string `json:"calcs"`
	Fields string   `json:"fields"`
	Values bool     `json:"values"`
}

// GraphOptions are the options of time series.
type GraphOptions struct {
	Legend  Legend  `json:"legend"`
	Tooltip Tooltip `json:"tooltip"`
}

// TimelineOptions are the options of a state timeline.
type TimelineOptions struct {
	Legend      Legend  `json:"legend"`
	Tooltip     Tooltip `json:"tooltip"`
	MergeValues bool    `json:"mergeValues"`
	ShowValue   string  `json:"showValue"`
	RowHeight   float64 `json:"rowHeight"`
}

// HeatmapOptions are the options of a heatmap over a native histogram.
type HeatmapOptions struct {
	Calculate bool         `json:"calculate"`
	Color     HeatmapColor `json:"color"`
	YAxis     HeatmapAxis  `json:"yAxis"`
	Legend    HeatmapShow  `json:"legend"`
	CellGap   int          `json:"cellGap"`
}

// HeatmapColor is the colour scheme of a heatmap.
type HeatmapColor struct {
	Mode     string  `json:"mode"`
	Scheme   string  `json:"scheme"`
	Fill     string  `json:"fill"`     // mode opacity only
	Exponent float64 `json:"exponent"` // mode opacity only
	Steps    int     `json:"steps"`
	Reverse  bool    `json:"reverse"`
}

// HeatmapAxis is the value axis of a heatmap.
type HeatmapAxis struct {
	Unit string `json:"unit"`
}

// HeatmapShow switches a heatmap's colour scale on or off.
type HeatmapShow struct {
	Show bool `json:"show"`
}
