//go:build amd64 || arm64

package powerloss

import (
	"fmt"
	"strconv"
)

// kind says what an op changes, or promises.
type kind int

const (
	opMake      kind = iota // a file comes to be under path
	opFolder                // a folder
	opRename                // path becomes to
	opRemove                // path goes, file or folder
	opWrite                 // data at offset
	opTruncate              // size becomes offset
	opExtend                // size becomes at least offset
	opSync                  // the file's changes are on the disk
	opSyncNames             // so are the names in folder path
	opAck                   // data was announced as durable
)

// op is a system call of the child that changed its folder, at the moment of its
// return. Paths are relative to the folder.
type op struct {
	kind   kind
	path   string
	to     string
	file   int // numbered as they come to be
	offset int64
	data   []byte
	start  int // of a sync: how many ops had returned when it was called
}

func (o op) String() string {
	names := [...]string{"make", "folder", "rename", "remove", "write", "truncate", "extend", "sync", "sync names", "ack"}
	switch o.kind {
	case opRename:
		return fmt.Sprintf("rename %s to %s", o.path, o.to)
	case opWrite:
		return fmt.Sprintf("write %s, %d bytes at %d", o.path, len(o.data), o.offset)
	case opTruncate, opExtend:
		return names[o.kind] + " " + o.path + " at " + strconv.FormatInt(o.offset, 10)
	case opAck:
		return "ack " + string(o.data)
	}
	return names[o.kind] + " " + o.path
}

// recording is what a child did.
type recording struct {
	ops  []op
	acks []int // their positions in ops
}

func newRecording(ops []op) *recording {
	r := &recording{ops: ops}
	for i, o := range ops {
		if o.kind == opAck {
			r.acks = append(r.acks, i)
		}
	}
	return r
}

// acked returns what was announced in the first cut ops.
func (r *recording) acked(cut int) []string {
	var acks []string
	for _, at := range r.acks {
		if at < cut {
			acks = append(acks, string(r.ops[at].data))
		}
	}
	return acks
}

// tail is the end of what was done before a cut, for messages.
func (r *recording) tail(cut int) string {
	text := ""
	for i := max(0, cut-25); i < cut; i++ {
		text += fmt.Sprintf("\n  %6d %s", i, r.ops[i])
	}
	return text
}
