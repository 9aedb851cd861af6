package live

import (
	"encoding/json"
	"strings"
)

// Record is what an audit record says of one decision.
type Record struct {
	Request, Decision, Reason string
	Policy                    struct{ Name string }
}

// Records are what its access log has printed of a plugin, as `mesh-config.yaml` has it printed.
func (r *Run) Records(plugin string) ([]Record, error) {
	text, err := r.Wrote()
	if err != nil {
		return nil, err
	}
	var all []Record
	for line := range strings.Lines(text) {
		var printed map[string]any
		// The proxy writes there too.
		if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &printed) != nil {
			continue
		}
		said, isText := printed[plugin].(string)
		if !isText {
			continue
		}
		var records []Record
		if err := json.Unmarshal([]byte(said), &records); err != nil {
			return nil, err
		}
		all = append(all, records...)
	}
	return all, nil
}
