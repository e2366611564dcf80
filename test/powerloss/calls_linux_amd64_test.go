package powerloss

import "syscall"

// Numbers of calls that package syscall does not name.
const (
	callRename2       = 316
	callCopyFileRange = 326
	callWrite2        = 328
)

// older are calls that say less than the ones that replaced them.
var older = map[uint64]func(a [6]uint64) (uint64, [6]uint64){
	syscall.SYS_OPEN: func(a [6]uint64) (uint64, [6]uint64) {
		return syscall.SYS_OPENAT, [6]uint64{here, a[0], a[1], a[2]}
	},
	syscall.SYS_CREAT: func(a [6]uint64) (uint64, [6]uint64) {
		return syscall.SYS_OPENAT, [6]uint64{here, a[0], syscall.O_CREAT | syscall.O_WRONLY | syscall.O_TRUNC, a[1]}
	},
	syscall.SYS_RENAME: func(a [6]uint64) (uint64, [6]uint64) {
		return syscall.SYS_RENAMEAT, [6]uint64{here, a[0], here, a[1]}
	},
	syscall.SYS_UNLINK: func(a [6]uint64) (uint64, [6]uint64) { return syscall.SYS_UNLINKAT, [6]uint64{here, a[0]} },
	syscall.SYS_RMDIR:  func(a [6]uint64) (uint64, [6]uint64) { return syscall.SYS_UNLINKAT, [6]uint64{here, a[0]} },
	syscall.SYS_MKDIR:  func(a [6]uint64) (uint64, [6]uint64) { return syscall.SYS_MKDIRAT, [6]uint64{here, a[0]} },
	syscall.SYS_LINK:   func(a [6]uint64) (uint64, [6]uint64) { return syscall.SYS_LINKAT, [6]uint64{here, a[0], here, a[1]} },
	syscall.SYS_SYMLINK: func(a [6]uint64) (uint64, [6]uint64) {
		return syscall.SYS_SYMLINKAT, [6]uint64{a[0], here, a[1]}
	},
}
