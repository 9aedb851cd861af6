package manifests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	root  = "../.."
	guide = root + "/docs/mesh.md"
)

// What the guide says is run, in its order, and the part of the README about the mesh. What needs a cluster is looked at as far as it goes: files are there, Helm renders.
func TestTheCommandsOfTheGuideWork(t *testing.T) {
	ran := map[string]int{}
	text, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(text), "\n## In a mesh\n")
	part, _, _ = strings.Cut(part, "\n## ")
	whole, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range append(commands(part), commands(string(whole))...) {
		// An alias of the README.
		if strings.HasPrefix(line, "wardpoint ") {
			line = "target/host/" + line
		}
		words := strings.Fields(line)
		ran[words[0]]++
		switch words[0] {
		case "make":
			text, err := os.ReadFile(root + "/Makefile")
			if err != nil || !strings.Contains(string(text), "\n"+words[1]+":") {
				t.Errorf("%s: no such target", line)
			}
			continue
		case "kubectl":
			for index, word := range words {
				if word == "-f" {
					if _, err := os.Stat(filepath.Join(root, words[index+1])); err != nil {
						t.Errorf("%s: %v", line, err)
					}
				}
			}
			continue
		case "target/host/wardpoint":
			if words[1] == "push" || words[2] == "--config-dump" {
				words = words[:2]
				line = strings.Join(append(words, "--help"), " ")
			}
		case "helm":
			if words[1] == "rollback" || words[1] == "uninstall" {
				continue
			}
			if words[1] == "upgrade" {
				line = strings.Replace(line, "upgrade --install", "template", 1)
			}
		}
		command := exec.Command("bash", "-c", line)
		command.Dir = root
		command.Env = append(os.Environ(), "PATH="+absolute(t, tools)+":"+os.Getenv("PATH"))
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
	for tool, least := range map[string]int{"helm": 8, "kubectl": 6, "target/host/wardpoint": 6, "make": 4} {
		if ran[tool] < least {
			t.Errorf("%d commands of %s", ran[tool], tool)
		}
	}
}

func commands(text string) []string {
	var lines []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1) {
		lines = append(lines, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	return lines
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	whole, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

// `path: text` behind a sentence, or in the last column of a table: the file is there and has the text.
func TestWhatTheGuideRestsOnIsThere(t *testing.T) {
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	joined := strings.ReplaceAll(strings.Join(strings.Fields(string(text)), " "), ";", "; ;")
	found := regexp.MustCompile(`[(|;] ?((?:istio|test-host|examples|e2e)/[\w./-]+\.(?:go|rs|yaml|py)): ([^|);]+?) ?[|);]`).FindAllStringSubmatch(joined, -1)
	if len(found) < 19 {
		t.Errorf("only %d references", len(found))
	}
	for _, reference := range found {
		source, err := os.ReadFile(filepath.Join(root, reference[1]))
		if err != nil || !strings.Contains(string(source), reference[2]) {
			t.Errorf("%s has no %q (%v)", reference[1], reference[2], err)
		}
	}
}

// A second waypoint makes nothing that the first has made, both reach the services, and `wardpoint lint` finds nothing in both.
func TestACanaryStandsBesideTheFirst(t *testing.T) {
	each(t, func(t *testing.T, set, form string) {
		out, err := template("-f", valuesOf(set), "--set", "form="+form+",beside=waypoint,waypoint.name=waypoint-next")
		if err != nil {
			t.Fatal(out)
		}
		path := filepath.Join(t.TempDir(), "next.yaml")
		if err := os.WriteFile(path, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
		name := func(document object) string {
			return fmt.Sprint(document["kind"], " ", at(document, "metadata", "namespace"), "/", at(document, "metadata", "name"))
		}
		first := map[string]bool{}
		for _, document := range documents(t, rendered(set, form)) {
			first[name(document)] = true
		}
		admitted := 0
		for _, document := range documents(t, path) {
			if first[name(document)] {
				t.Errorf("both make %s", name(document))
			}
			if at(document, "spec", "rules", 0, "from", 0, "source", "principals", 0) == "cluster.local/ns/tools/sa/waypoint-next" {
				admitted++
			}
		}
		if admitted != 1 {
			t.Errorf("%d services let it in", admitted)
		}
		if set == "tiers" {
			// A policy for the whole mesh reads claims: to lint, one RequestAuthentication must then be about all waypoints, not one about each.
			return
		}
		if out := wardpoint(t, "lint", rendered(set, form), path); !strings.HasSuffix(strings.TrimSpace(out), ", 0 errors, 0 warnings") {
			t.Error(out)
		}
	})
}
