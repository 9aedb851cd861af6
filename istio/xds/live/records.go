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
