package embedded

import "syscall"

// ownGroup starts the child in a process group of its own, so that Ctrl-C in a
// terminal reaches the parent only, which stops the engine last. The kernel
// kills the child when the parent dies, however it dies.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
