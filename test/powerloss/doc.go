// Package powerloss tests what is left of the registry's file, the row store, a backup and
// the embedded log when the power fails while they work.
//
// A child process of the test runs one of them in its durable setting and announces
// what was acknowledged. The recorder follows the child's system calls with ptrace
// and keeps what changes its folder, in order: writes, truncations, syncs, names that
// come and go. A cut replays the calls up to a point onto a disk that has promised
// nothing but what was synced: what was not may be lost, torn at blocks of 512 or 4096
// bytes, or be there while something older is not. Then the part is opened on the
// result. It must open and be whole, have everything that was acknowledged before
// the cut, and nothing by halves.
//
// Registry and rows must hold even where a name lasts only once its folder was synced.
// The embedded broker syncs no folder, so the log is promised for file systems that
// keep the name of a file with its bytes, as ext4, XFS and Btrfs do.
//
// TestLossIsFound runs the same on parts that do not sync, and wants losses: the
// tests above can fail. A system call that changes files and that the recorder does
// not know fails the run. Linux on amd64 and arm64 only; no root, no mount and no
// other program is needed.
//
// The package has tests only; their files may import everything.
package powerloss
