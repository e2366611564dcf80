//go:build amd64 || arm64

package powerloss

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

// Constants of ptrace that package syscall does not name, of Linux 5.3 and later.
const (
	getCallInfo    = 0x420e
	callEntry      = 1
	callExit       = 2
	traceOptions   = syscall.PTRACE_O_TRACESYSGOOD | syscall.PTRACE_O_TRACECLONE | exitKill
	exitKill       = 0x100000
	callStop       = syscall.SIGTRAP | 0x80
	ownChildren    = syscall.WALL | 0x20000000 // and none that other threads of the test started
	noSignal       = 0
	longestPath    = 4096
	callInfoLength = 88
)

// callInfo is the kernel's struct ptrace_syscall_info.
type callInfo struct {
	op     byte
	_      [3]byte
	arch   uint32
	ip, sp uint64
	number uint64 // of an exit: the result
	args   [6]uint64
	_      [8]byte
}

// callNow is a system call that a thread is in.
type callNow struct {
	number uint64
	args   [6]uint64
	start  int // how many ops there were when it was called
}

// trace runs a command to its end and has its system calls recorded. It must run on
// one thread: the kernel knows a tracer by its thread.
func (r *recorder) trace(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the child under ptrace: %w", err)
	}
	leader := cmd.Process.Pid
	err := r.follow(leader)
	if err != nil {
		err = errors.Join(err, syscall.Kill(leader, syscall.SIGKILL))
		var status syscall.WaitStatus
		for {
			if _, end := syscall.Wait4(leader, &status, syscall.WALL, nil); end != nil || status.Exited() || status.Signaled() {
				break
			}
		}
	}
	return errors.Join(err, cmd.Process.Release())
}

// follow lets the threads of the child run from call to call until all are gone.
func (r *recorder) follow(leader int) error {
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(leader, &status, syscall.WALL, nil); err != nil {
		return fmt.Errorf("wait for the child: %w", err)
	}
	if err := syscall.PtraceSetOptions(leader, traceOptions); err != nil {
		return fmt.Errorf("set options of ptrace: %w", err)
	}
	var err error
	if r.memory, err = os.Open(fmt.Sprintf("/proc/%d/mem", leader)); err != nil {
		return err
	}
	defer r.memory.Close()
	if err := resume(leader, noSignal); err != nil {
		return err
	}
	for known := map[int]bool{leader: true}; ; {
		thread, err := syscall.Wait4(-1, &status, ownChildren, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("wait for the child's threads: %w", err)
		case status.Exited() || status.Signaled():
			if thread != leader {
				continue
			}
			if status.Signaled() || status.ExitStatus() != 0 {
				return fmt.Errorf("the child ended with exit status %d, signal %v", status.ExitStatus(), status.Signal())
			}
			return nil
		}
		if err := r.stopped(thread, status, known); err != nil {
			return err
		}
	}
}

// stopped deals with a thread that was stopped, and lets it go on.
func (r *recorder) stopped(thread int, status syscall.WaitStatus, known map[int]bool) error {
	signal := status.StopSignal()
	switch {
	case signal == callStop:
		if err := r.call(thread); err != nil {
			return err
		}
		signal = noSignal
	case signal == syscall.SIGTRAP: // it started another
		signal = noSignal
	case signal == syscall.SIGSTOP && !known[thread]: // a thread starts like this
		signal = noSignal
	}
	known[thread] = true
	return resume(thread, int(signal))
}

// resume lets a thread run to its next call. One that was killed meanwhile is gone.
func resume(thread, signal int) error {
	if err := syscall.PtraceSyscall(thread, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("resume thread %d: %w", thread, err)
	}
	return nil
}

// call notes where a thread enters a call, and records the call where it returns.
func (r *recorder) call(thread int) error {
	var info callInfo
	_, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, getCallInfo, uintptr(thread), callInfoLength, uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno == syscall.ESRCH {
		return nil
	}
	if errno != 0 {
		return fmt.Errorf("ask for the call of thread %d (Linux 5.3 or later can tell): %w", thread, errno)
	}
	switch info.op {
	case callEntry:
		now := callNow{info.number, info.args, len(r.ops)}
		if newer, ok := older[now.number]; ok {
			now.number, now.args = newer(now.args)
		}
		r.running[thread] = now
	case callExit:
		now, ok := r.running[thread]
		delete(r.running, thread)
		failed := info.args[0]&0xff != 0
		record, changes := changers[now.number]
		if !ok || failed || !changes {
			return nil
		}
		if err := record(r, thread, now, int64(info.number)); err != nil {
			return fmt.Errorf("call %d of the child: %w", now.number, err)
		}
	}
	return nil
}

// bytes reads the child's memory.
func (r *recorder) bytes(address uint64, n int64) ([]byte, error) {
	b := make([]byte, n)
	if _, err := r.memory.ReadAt(b, int64(address)); err != nil {
		return nil, fmt.Errorf("read %d bytes of the child: %w", n, err)
	}
	return b, nil
}

// text reads a string that ends with a zero byte; it may end close to a page that is
// not there.
func (r *recorder) text(address uint64) (string, error) {
	var b []byte
	for len(b) < longestPath {
		part := make([]byte, 256-(address+uint64(len(b)))%256)
		if _, err := r.memory.ReadAt(part, int64(address)+int64(len(b))); err != nil {
			return "", fmt.Errorf("read a path of the child: %w", err)
		}
		b = append(b, part...)
		if before, _, found := strings.Cut(string(b), "\x00"); found {
			return before, nil
		}
	}
	return "", errors.New("a path without end")
}
