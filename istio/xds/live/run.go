package live

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Within is how long anything may take that a test waits for; no test is about time.
const Within = 90 * time.Second

const stopsWithin = 20 * time.Second

// Run is a program that runs until it is stopped.
type Run struct {
	name, log string
	command   *exec.Cmd
	ended     chan struct{}
}

// Start begins a program that writes into a log.
func Start(name, log string, command *exec.Cmd) (*Run, error) {
	// A proxy opens it once more for its access log: who does not append writes over what the other wrote.
	out, err := os.OpenFile(log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	command.Stdout, command.Stderr = out, out
	// A test that is killed takes its programs along; a group, for one of them is a shell, which hands on what it is told.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	run := &Run{name, log, command, make(chan struct{})}
	go func() {
		_ = command.Wait()
		close(run.ended)
	}()
	return run, nil
}

// WaitFor returns once it is ready.
func (r *Run) WaitFor(what string, ready func() bool) error {
	return Until(what+" of "+r.name, func() (bool, error) {
		select {
		case <-r.ended:
			return false, fmt.Errorf("%s ended: %s", r.name, r.Log())
		default:
			return ready(), nil
		}
	})
}

// Log is what it wrote, the end of it.
func (r *Run) Log() string {
	text, _ := r.Wrote()
	return text[max(0, len(text)-4000):]
}

// Wrote is all that it wrote.
func (r *Run) Wrote() (string, error) {
	text, err := os.ReadFile(r.log)
	return string(text), err
}

// Stop ends it.
func (r *Run) Stop() {
	group := -r.command.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	select {
	case <-r.ended:
	case <-time.After(stopsWithin):
		_ = syscall.Kill(group, syscall.SIGKILL)
		<-r.ended
	}
}

// Until returns once something is so.
func Until(what string, so func() (bool, error)) error {
	for deadline := time.Now().Add(Within); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if yes, err := so(); yes || err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: not within %s", what, Within)
}

// Nobody listens yet at a port that was given away: what is only tried could be given twice.
var given sync.Map

// FreePort is a port below those that outgoing connections take theirs from; each is given once.
func FreePort() int {
	for {
		port := 20_000 + rand.IntN(12_000)
		if _, gone := given.LoadOrStore(port, true); gone {
			continue
		}
		if listener, err := net.Listen("tcp", Loopback(port)); err == nil {
			_ = listener.Close()
			return port
		}
	}
}

// Loopback is a port's address on this machine.
func Loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// Accepts says whether somebody listens.
func Accepts(port int) bool {
	connection, err := net.DialTimeout("tcp", Loopback(port), time.Second)
	if err == nil {
		_ = connection.Close()
	}
	return err == nil
}
