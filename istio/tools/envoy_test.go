package manifests

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// An Envoy that runs until its test ends.
type envoy struct {
	admin string
	// Where its only listener is.
	at string
}

func start(t *testing.T, bootstrap object) envoy {
	t.Helper()
	directory := t.TempDir()
	text, err := json.Marshal(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	config, admin := filepath.Join(directory, "envoy.json"), filepath.Join(directory, "admin")
	if err := os.WriteFile(config, text, 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(directory, "log"))
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(os.Getenv("ENVOY_BIN"), "-c", config, "--admin-address-path", admin, "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning")
	command.Stderr = log
	if err := command.Start(); err != nil {
		t.Fatalf("ENVOY_BIN: %v", err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s", said)
		}
	})
	var found envoy
	until(t, "Envoy has a listener", func() bool {
		where, err := os.ReadFile(admin)
		if err != nil {
			return false
		}
		found.admin = "http://" + string(where)
		var list struct {
			Listener_statuses []struct {
				Local_address struct{ Socket_address struct{ Port_value int } }
			}
		}
		if json.Unmarshal([]byte(found.ask("/listeners?format=json")), &list) != nil || len(list.Listener_statuses) != 1 {
			return false
		}
		port := list.Listener_statuses[0].Local_address.Socket_address.Port_value
		found.at = fmt.Sprintf("http://127.0.0.1:%d", port)
		return port != 0
	})
	return found
}

func (e envoy) ask(path string) string {
	answer, err := http.Get(e.admin + path)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return ""
	}
	return string(text)
}

// Waits for a fact.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("not so after a minute: %s", what)
}
