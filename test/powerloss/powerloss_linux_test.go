//go:build amd64 || arm64

package powerloss

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	cuts = flag.Int("powerloss.cuts", 20, "cuts of each part")
	seed = flag.Uint64("powerloss.seed", 1, "draws the cuts and what the disk makes of them")
)

// part is something that keeps data on a disk.
type part struct {
	name    string
	journal bool // it holds on disks where a synced file keeps its name; see newDisk
	// work runs in the child. It announces what was acknowledged as durable.
	work func(ctx context.Context, w *work) error
	// check opens the part on what is left of its folder. acks is what was announced
	// before the cut, later what was after it.
	check func(ctx context.Context, dir string, acks, later []string) error
}

// work is what a part works on.
type work struct {
	dir     string
	durable bool // the part syncs
	ack     func(format string, args ...any)
}

var parts = []part{registryPart, rowsPart, logPart, backupPart}

// errLost is that something acknowledged is not there, or half of something is.
var errLost = errors.New("lost")

const (
	partVariable    = "SLUICE_POWERLOSS_PART"
	folderVariable  = "SLUICE_POWERLOSS_FOLDER"
	durableVariable = "SLUICE_POWERLOSS_DURABLE"
)

func TestMain(m *testing.M) {
	for _, p := range parts {
		if os.Getenv(partVariable) != p.name {
			continue
		}
		if err := child(p); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child works until it is done.
func child(p part) error {
	acks := os.NewFile(ackTo, "acks")
	err := p.work(context.Background(), &work{
		dir: os.Getenv(folderVariable), durable: os.Getenv(durableVariable) != "",
		ack: func(format string, args ...any) { fmt.Fprintln(acks, fmt.Sprintf(format, args...)) },
	})
	return errors.Join(err, acks.Close()) // until then, nothing else gets its number
}

// record lets a child work in a folder and returns what it did there. Where the
// recording leads to must be what the child left, byte for byte.
func record(t *testing.T, p part, durable bool) *recording {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	output, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // the recorder reads what is written to it
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), partVariable+"="+p.name, folderVariable+"="+root)
	if durable {
		cmd.Env = append(cmd.Env, durableVariable+"=1")
	}
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = output, output, []*os.File{nowhere}
	began := time.Now()
	r := newRecorder(root)
	if err := r.trace(cmd); err != nil {
		text, _ := os.ReadFile(output.Name())
		t.Fatalf("record %s: %v\n%s", p.name, err, text)
	}
	done := newRecording(r.ops)
	t.Logf("%s: %d changes, %d announced, in %s", p.name, len(done.ops), len(done.acks), time.Since(began).Round(time.Millisecond))
	sameFolder(t, newDisk(done.ops, p.journal).image(nil, fate{data: kept, names: kept}), root)
	return done
}

// sameFolder compares an image with a folder.
func sameFolder(t *testing.T, im image, root string) {
	t.Helper()
	left := len(im)
	err := filepath.WalkDir(root, func(absolute string, entry fs.DirEntry, err error) error {
		if err != nil || absolute == root {
			return err
		}
		name := strings.TrimPrefix(absolute, root+"/")
		want, there := im[name]
		if !there {
			return fmt.Errorf("%s was not recorded", name)
		}
		left--
		if entry.IsDir() || strings.HasSuffix(name, sharedIndex) {
			return nil
		}
		b, err := os.ReadFile(absolute)
		if err == nil && !bytes.Equal(b, want) {
			err = fmt.Errorf("%s was recorded as other bytes: %d, want %d", name, len(want), len(b))
		}
		return err
	})
	if err != nil || left != 0 {
		t.Fatalf("the recording is not what was done: %v; %d names too many", err, left)
	}
}

// cut is one loss of power.
type cut struct {
	at   int // how many ops had returned
	fate fate
	rng  *rand.Rand
}

func (c cut) String() string { return fmt.Sprintf("cut after %d changes, %+v", c.at, c.fate) }

// drawCut draws a moment: any, or one shortly after an announcement.
func drawCut(r *recording, number int) cut {
	rng := rand.New(rand.NewPCG(*seed, uint64(number)))
	at := 1 + rng.IntN(len(r.ops))
	if rng.IntN(2) == 0 {
		at = min(len(r.ops), r.acks[rng.IntN(len(r.acks))]+1+rng.IntN(4))
	}
	return cut{at, drawFate(rng), rng}
}

// try opens the part on what a cut leaves.
func (p part) try(t *testing.T, r *recording, c cut) error {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "cut")
	if err != nil {
		t.Fatal(err)
	}
	if err := newDisk(r.ops[:c.at], p.journal).image(c.rng, c.fate).write(dir); err != nil {
		t.Fatal(err)
	}
	acks := r.acked(c.at)
	err = p.check(t.Context(), dir, acks, r.acked(len(r.ops))[len(acks):])
	if removed := os.RemoveAll(dir); removed != nil {
		t.Fatal(removed)
	}
	return err
}

// write makes the image a folder.
func (im image) write(dir string) error {
	for name, b := range im {
		target := filepath.Join(dir, name)
		if b == nil {
			if err := os.MkdirAll(target, 0o700); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(target, b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// TestPowerLoss cuts the power of each part, and wants everything that it had
// acknowledged.
func TestPowerLoss(t *testing.T) {
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) {
			r := record(t, p, true)
			began, bad := time.Now(), 0
			for number := range *cuts {
				c := drawCut(r, number)
				if err := p.try(t, r, c); err != nil {
					bad++
					t.Errorf("seed %d, number %d: %s: %v%s", *seed, number, c, err, r.tail(c.at))
				}
			}
			t.Logf("%s: %d of %d cuts came out whole, in %s", p.name, *cuts-bad, *cuts, time.Since(began).Round(time.Millisecond))
		})
	}
}

// lossyCuts is how many cuts must be enough to find that a part does not sync.
const lossyCuts = 12

// TestLossIsFound cuts the power of parts that do not sync, and wants losses.
func TestLossIsFound(t *testing.T) {
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) {
			r := record(t, p, false)
			found := 0
			for number := range lossyCuts {
				if p.try(t, r, drawCut(r, number)) != nil {
					found++
				}
			}
			t.Logf("%s: %d of %d cuts lost something", p.name, found, lossyCuts)
			if found == 0 {
				t.Errorf("%s does not sync, and nothing was found missing", p.name)
			}
		})
	}
}
