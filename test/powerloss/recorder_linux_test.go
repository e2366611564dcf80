//go:build amd64 || arm64

package powerloss

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// recorder turns the system calls of a child into ops on a folder. What changes files
// there in a way that it does not know is an error.
type recorder struct {
	root    string // the folder, without symbolic links
	memory  *os.File
	running map[int]callNow // by thread

	ops    []op
	made   int
	inodes map[uint64]int // open files keep theirs when their name changes
	names  map[string]int
}

func newRecorder(root string) *recorder {
	return &recorder{root: root, running: map[int]callNow{}, inodes: map[uint64]int{}, names: map[string]int{}}
}

// here is the current folder where a call wants a folder's descriptor.
const here = ^uint64(99) // AT_FDCWD

// ackTo is the descriptor on which a child announces what is durable.
const ackTo = 3

// recordFunc records a call that succeeded.
type recordFunc func(r *recorder, thread int, c callNow, result int64) error

// changers are the calls that change files or promise something.
var changers = map[uint64]recordFunc{
	syscall.SYS_OPENAT:    (*recorder).open,
	syscall.SYS_WRITE:     (*recorder).write,
	syscall.SYS_PWRITE64:  (*recorder).writeAt,
	syscall.SYS_FSYNC:     (*recorder).sync,
	syscall.SYS_FDATASYNC: (*recorder).sync,
	syscall.SYS_FTRUNCATE: (*recorder).truncate,
	syscall.SYS_FALLOCATE: (*recorder).allocate,
	syscall.SYS_RENAMEAT:  (*recorder).rename,
	callRename2:           (*recorder).rename,
	syscall.SYS_UNLINKAT:  (*recorder).remove,
	syscall.SYS_MKDIRAT:   (*recorder).makeFolder,
	syscall.SYS_MMAP:      (*recorder).mmap,

	syscall.SYS_WRITEV:    unknown(0),
	syscall.SYS_PWRITEV:   unknown(0),
	callWrite2:            unknown(0),
	syscall.SYS_SENDFILE:  unknown(0),
	syscall.SYS_SPLICE:    unknown(2),
	callCopyFileRange:     unknown(2),
	syscall.SYS_TRUNCATE:  unknownPath(-1, 0),
	syscall.SYS_LINKAT:    unknownPath(2, 3),
	syscall.SYS_SYMLINKAT: unknownPath(1, 2),
	syscall.SYS_IO_SETUP:  refused,
	425 /* io_uring */ :   refused,
	437 /* openat2 */ :    refused,
}

var errUnknown = errors.New("the recorder does not know what this call does to a file")

func refused(*recorder, int, callNow, int64) error { return errUnknown }

// unknown refuses a call on a file of the folder that the argument describes.
func unknown(arg int) recordFunc {
	return func(r *recorder, thread int, c callNow, _ int64) error {
		if name, _, ok := r.opened(thread, c.args[arg]); ok {
			return fmt.Errorf("%s: %w", name, errUnknown)
		}
		return nil
	}
}

func unknownPath(dir, arg int) recordFunc {
	return func(r *recorder, thread int, c callNow, _ int64) error {
		at := uint64(here)
		if dir >= 0 {
			at = c.args[dir]
		}
		name, ok, err := r.named(thread, at, c.args[arg])
		if ok {
			err = fmt.Errorf("%s: %w", name, errUnknown)
		}
		return err
	}
}

// inside returns the path below the folder; false if it lies elsewhere.
func (r *recorder) inside(absolute string) (string, bool) {
	if absolute == r.root {
		return ".", true
	}
	return strings.CutPrefix(absolute, r.root+"/")
}

// descriptor is where /proc shows what a descriptor leads to.
func descriptor(thread int, fd uint64) string {
	return "/proc/" + strconv.Itoa(thread) + "/fd/" + strconv.Itoa(int(int32(fd)))
}

// opened returns the path that a descriptor leads to, and what it is; false if that
// lies elsewhere or has no name any more.
func (r *recorder) opened(thread int, fd uint64) (name string, info os.FileInfo, ok bool) {
	link := descriptor(thread, fd)
	absolute, err := os.Readlink(link)
	if err != nil {
		return "", nil, false
	}
	if name, ok = r.inside(absolute); !ok || strings.HasSuffix(name, " (deleted)") {
		return "", nil, false
	}
	if info, err = os.Stat(link); err != nil {
		return "", nil, false
	}
	return name, info, true
}

// file returns the file of the folder that a descriptor leads to.
func (r *recorder) file(thread int, fd uint64) (name string, file int, ok bool, err error) {
	name, info, ok := r.opened(thread, fd)
	if !ok || info.IsDir() {
		return "", 0, false, nil
	}
	file, ok = r.inodes[info.Sys().(*syscall.Stat_t).Ino]
	if !ok {
		return "", 0, false, fmt.Errorf("%s was never opened", name)
	}
	return name, file, true, nil
}

// named returns the path that a call names; false if it lies elsewhere.
func (r *recorder) named(thread int, dir, address uint64) (string, bool, error) {
	name, err := r.text(address)
	if err != nil {
		return "", false, err
	}
	if !filepath.IsAbs(name) {
		base := "/proc/" + strconv.Itoa(thread) + "/cwd"
		if uint32(dir) != uint32(here&0xffffffff) {
			base = descriptor(thread, dir)
		}
		folder, err := os.Readlink(base)
		if err != nil {
			return "", false, err
		}
		name = filepath.Join(folder, name)
	}
	name, ok := r.inside(filepath.Clean(name))
	return name, ok, nil
}

func (r *recorder) add(o op) { r.ops = append(r.ops, o) }

func (r *recorder) open(thread int, c callNow, fd int64) error {
	name, info, ok := r.opened(thread, uint64(fd))
	if !ok || info.IsDir() {
		return nil
	}
	flags := int(c.args[2])
	if flags&(syscall.O_SYNC|syscall.O_DSYNC|syscall.O_DIRECT) != 0 && flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return fmt.Errorf("%s is opened with flags %#x: %w", name, flags, errUnknown)
	}
	file, there := r.names[name]
	if !there {
		r.made++
		file = r.made
		r.names[name] = file
		r.add(op{kind: opMake, path: name, file: file})
	} else if flags&syscall.O_TRUNC != 0 {
		r.add(op{kind: opTruncate, path: name, file: file})
	}
	r.inodes[info.Sys().(*syscall.Stat_t).Ino] = file
	return nil
}

func (r *recorder) write(thread int, c callNow, n int64) error {
	if c.args[0] == ackTo {
		data, err := r.bytes(c.args[1], n)
		r.add(op{kind: opAck, data: []byte(strings.TrimSpace(string(data)))})
		return err
	}
	name, file, ok, err := r.file(thread, c.args[0])
	if !ok || err != nil {
		return err
	}
	position, err := position(thread, c.args[0])
	if err != nil {
		return err
	}
	return r.wrote(name, file, c.args[1], position-n, n)
}

// position is where the next write through a descriptor goes.
func position(thread int, fd uint64) (int64, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(thread) + "/fdinfo/" + strconv.Itoa(int(fd)))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strconv.ParseInt(strings.TrimSpace(strings.TrimPrefix(line, "pos:")), 10, 64)
}

func (r *recorder) writeAt(thread int, c callNow, n int64) error {
	name, file, ok, err := r.file(thread, c.args[0])
	if !ok || err != nil {
		return err
	}
	return r.wrote(name, file, c.args[1], int64(c.args[3]), n)
}

func (r *recorder) wrote(name string, file int, address uint64, offset, n int64) error {
	data, err := r.bytes(address, n)
	r.add(op{kind: opWrite, path: name, file: file, offset: offset, data: data})
	return err
}

func (r *recorder) sync(thread int, c callNow, _ int64) error {
	if name, info, ok := r.opened(thread, c.args[0]); ok && info.IsDir() {
		r.add(op{kind: opSyncNames, path: name, start: c.start})
		return nil
	}
	name, file, ok, err := r.file(thread, c.args[0])
	if ok && err == nil {
		r.add(op{kind: opSync, path: name, file: file, start: c.start})
	}
	return err
}

func (r *recorder) truncate(thread int, c callNow, _ int64) error {
	name, file, ok, err := r.file(thread, c.args[0])
	if ok && err == nil {
		r.add(op{kind: opTruncate, path: name, file: file, offset: int64(c.args[1])})
	}
	return err
}

// allocate: room that is kept free changes nothing that a reader sees.
func (r *recorder) allocate(thread int, c callNow, _ int64) error {
	const keepSize = 1
	name, file, ok, err := r.file(thread, c.args[0])
	if !ok || err != nil || c.args[1] == keepSize {
		return err
	}
	if c.args[1] != 0 {
		return fmt.Errorf("fallocate of %s with mode %d: %w", name, c.args[1], errUnknown)
	}
	r.add(op{kind: opExtend, path: name, file: file, offset: int64(c.args[2] + c.args[3])})
	return nil
}

func (r *recorder) rename(thread int, c callNow, _ int64) error {
	from, inside, err := r.named(thread, c.args[0], c.args[1])
	if err != nil {
		return err
	}
	to, stays, err := r.named(thread, c.args[2], c.args[3])
	if err != nil || !inside && !stays {
		return err
	}
	file, there := r.names[from]
	if !inside || !stays || path.Dir(from) != path.Dir(to) || !there || c.args[4] != 0 && c.number == callRename2 {
		return fmt.Errorf("rename %s to %s: %w", from, to, errUnknown)
	}
	delete(r.names, from)
	r.names[to] = file
	r.add(op{kind: opRename, path: from, to: to})
	return nil
}

func (r *recorder) remove(thread int, c callNow, _ int64) error {
	name, ok, err := r.named(thread, c.args[0], c.args[1])
	if ok && err == nil {
		delete(r.names, name)
		r.add(op{kind: opRemove, path: name})
	}
	return err
}

func (r *recorder) makeFolder(thread int, c callNow, _ int64) error {
	name, ok, err := r.named(thread, c.args[0], c.args[1])
	if ok && err == nil {
		r.add(op{kind: opFolder, path: name})
	}
	return err
}

// sharedIndex is how SQLite's index of a write-ahead log ends: it lives in memory,
// and is made anew by the first who opens the file.
const sharedIndex = "-shm"

// mmap refuses to let a file be written through memory, but for such an index.
func (r *recorder) mmap(thread int, c callNow, _ int64) error {
	if c.args[2]&syscall.PROT_WRITE == 0 || c.args[3]&syscall.MAP_SHARED == 0 || c.args[3]&syscall.MAP_ANON != 0 {
		return nil
	}
	if name, _, ok := r.opened(thread, c.args[4]); ok && !strings.HasSuffix(name, sharedIndex) {
		return fmt.Errorf("%s is written through memory: %w", name, errUnknown)
	}
	return nil
}
