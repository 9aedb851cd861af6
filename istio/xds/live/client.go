package live

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
)

// Plan is a conversation of a real MCP client; `e2e/clients` carries it out.
type Plan struct {
	URL   string           `json:"url"`
	Token *string          `json:"token"`
	Era   string           `json:"era"`
	HTTP  string           `json:"http"`
	CA    string           `json:"ca"`
	Cert  string           `json:"cert"`
	Key   string           `json:"key"`
	Steps []map[string]any `json:"steps"`
}

// Step is what the client saw of one.
type Step struct {
	Event, Step, Name, Text string
	Tools                   []string
	Progress                int
	Error                   any
}

// Talk carries out a plan and returns what was seen, by the names of the steps.
func Talk(command []string, folder string, plan Plan) (map[string]Step, error) {
	text, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), Within)
	defer cancel()
	client := exec.CommandContext(ctx, command[0], command[1:]...)
	var out, problems bytes.Buffer
	client.Dir, client.Stdin, client.Stdout, client.Stderr = folder, bytes.NewReader(text), &out, &problems
	if err := client.Run(); err != nil {
		return nil, fmt.Errorf("%v: %w\n%s%s", command, err, out.String(), problems.String())
	}
	seen := map[string]Step{}
	for decoder := json.NewDecoder(&out); decoder.More(); {
		var step Step
		if err := decoder.Decode(&step); err != nil {
			return nil, fmt.Errorf("%v: %w", command, err)
		}
		if step.Name == "" {
			step.Name = step.Step
		}
		if step.Event == "" {
			seen[step.Name] = step
		}
	}
	return seen, nil
}
