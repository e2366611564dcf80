package tap

// leaves leaves the rows that are held back of a window out of the online store, if that
// takes none now; false: they are to be staged. Of a window that has left rows out all
// that follow are left out as well, since its version shows only once all are there: then
// they are staged from the log, which has them all. Everything else goes on: the rows are
// in the profile, and the window closes.
//
// Whether rows were left out is saved with the profile, in the transaction that covers
// them. So a window that says no has all its rows up to the checkpoint in the store, and a
// tap that reads on from there, whoever it is, decides anew of the rows after it alone.
func (p *partition) leaves(v *viewState, w *window) bool {
	if !w.offline {
		if p.tap.deps.Offline == nil {
			return false
		}
		why := p.tap.deps.Offline(v.view)
		if why == nil {
			return false
		}
		p.tap.deps.Logger.Warn("rows of a window stay in the log: they are staged and published once there is room in the online store", "view", v.view.Name,
			"window", w.Start, "version", w.version, "store", v.view.OnlineStore(), "partition", p.at.String(), "offset", w.from, "err", why)
	}
	v.out.Add(float64(len(w.rows)))
	w.offline, w.dirty = true, true
	clear(w.rows)
	return true
}
