package powerloss

// Numbers of calls that package syscall does not name.
const (
	callRename2       = 276
	callCopyFileRange = 285
	callWrite2        = 287
)

// older are calls that say less than the ones that replaced them; there are none.
var older map[uint64]func(a [6]uint64) (uint64, [6]uint64)
