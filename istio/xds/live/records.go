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

// Printed are those in a proxy's access log, by the providers of ../../mesh-config.yaml that write files: lines that are lists of records, or fields of a
// line that are.
func (r *Run) Printed() ([]Record, error) {
	text, err := r.Wrote()
	var all []Record
	for line := range strings.Lines(text) {
		var records []Record
		if json.Unmarshal([]byte(line), &records) == nil {
			all = append(all, records...)
		}
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) != nil {
			continue
		}
		for _, field := range fields {
			if text, is := field.(string); is && json.Unmarshal([]byte(text), &records) == nil {
				all = append(all, records...)
			}
		}
	}
	return all, err
}

// Records are those in a proxy's log, of all plugins. A line that is not written to its end is none yet.
func (r *Run) Records() ([]Record, error) {
	text, err := r.Wrote()
	var all []Record
	for line := range strings.Lines(text) {
		_, said, found := strings.Cut(line, "wardpoint.audit ")
		var record Record
		if found && json.Unmarshal([]byte(strings.TrimSpace(said)), &record) == nil {
			all = append(all, record)
		}
	}
	return all, err
}
