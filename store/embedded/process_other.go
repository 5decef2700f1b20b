//go:build !linux

package embedded

import "syscall"

// ownGroup starts the child in a process group of its own, so that Ctrl-C in a
// terminal reaches the parent only, which stops the engine last. The child
// notices the parent's end by the end of its standard input.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
