package sketch

// Bare returns p without its row sample, a tenth of its size or less. It shares p's
// counts, which must stay as they are, and takes no writes.
func (p *Profile) Bare() *Profile {
	return &Profile{Rows: p.Rows, Deletes: p.Deletes, Late: p.Late, Backfilled: p.Backfilled, RefusedWhole: p.RefusedWhole, Columns: p.Columns,
		layout: p.layout, hash: hasher{print: p.hash.print}, view: p.view, aged: p.aged}
}
