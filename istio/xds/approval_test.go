package xds

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"wardpoint/istio/xds/live"
)

// The shipped set in which a user who is away approves some calls, in its three forms, at work: the identity provider is called by the
// cluster that istiod made of the manifests.
func TestTheApprovalsLive(t *testing.T) {
	for _, form := range []string{"traffic-extension", "wasm-plugin", "envoy-filter"} {
		t.Run(form, func(t *testing.T) {
			idp, phones := ringing(t)
			f := stand(t, setup{envoy: envoyOf(t, "1.40"), manifests: []string{"../manifests/mcp-authz-approval/" + form + ".yaml"}, idp: idp}).ready()
			f.hold = form == "envoy-filter"
			approvals(t, f, phones)
			keepClean(t, f, "mcp-authz-approval", form)
		})
	}
}

// A stand-in that asks users on their phones.
func ringing(t *testing.T) (*provider, *live.Phones) {
	t.Helper()
	const secret = "battery"
	issuer := must(live.NewProvider())(t)
	authority := must(live.NewAuthority(t.TempDir(), "outside"))(t)
	phones := must(issuer.Rings(must(authority.Issue("idp", "idp.example.com"))(t), "gate", secret))(t)
	t.Cleanup(phones.Stop)
	login := func(user string) string {
		return must(issuer.Sign(map[string]any{"sub": "id-of-" + user, "preferred_username": user, "aud": "agents-gate", "azp": "chat-ui"}))(t)
	}
	return &provider{
		port: phones.Port, root: authority.Path, keys: must(issuer.Keys())(t), secret: secret, sign: issuer.Sign,
		tokens: map[string]string{"alice": login("alice"), "bob": login("bob"), "carol": login("carol")},
	}, phones
}

func approvals(t *testing.T, f *field, phones *live.Phones) {
	pod := f.pods["mcp-server"]
	call := func(from, token, tool, ticket string) request {
		header := map[string]string{}
		if ticket != "" {
			header["Wardpoint-Approval"] = ticket
		}
		return request{from: from, to: "mcp-server", tool: tool, token: token, header: header}
	}
	deletes := func(ticket string) request { return call("planner", "alice", "delete_repo", ticket) }
	nothing := func() {
		t.Helper()
		// Without header hold the headers are there first.
		if reached := len(pod.Seen()); reached > 0 && f.hold {
			t.Errorf("%d requests reached the pod", reached)
		}
	}
	f.wants(call("planner", "alice", "read_file", ""), 200)
	pod.Seen()

	// She is asked once, whoever comes back how often.
	ticket := f.pending(t, deletes(""))
	if asked := phones.Asked(); len(asked) != 1 || asked[0].Hint != "alice" || !strings.HasPrefix(asked[0].Message, "delete_repo#") {
		t.Errorf("asked: %v", asked)
	}
	f.pending(t, deletes(ticket))
	nothing()
	phones.Say("yes")
	if status, text := f.settled(t, deletes(ticket)); status != 200 {
		t.Errorf("approved: %d %s", status, text)
	}
	// By then other requests may have left their headers.
	if reached := pod.Seen(); len(reached) == 0 || f.hold && len(reached) != 1 {
		t.Errorf("%d requests reached the pod", len(reached))
	} else if came := reached[len(reached)-1].Header.Get("Wardpoint-Approval"); came != "" {
		t.Errorf("the pod got the ticket %s", came)
	}
	if is, text := reasonOf(f.answer(deletes(ticket))); is != "approval_expired" {
		t.Errorf("a ticket is good once: %s", text)
	}
	pod.Seen()

	ticket = f.pending(t, deletes(""))
	// It is hers, for this, through this agent.
	for name, other := range map[string]request{
		"another user": call("planner", "bob", "delete_repo", ticket), "another agent": call("researcher", "alice", "delete_repo", ticket),
	} {
		if status, text := f.answer(other); status != 403 {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	phones.Say("access_denied")
	if is, text := reasonOf(f.settled(t, deletes(ticket))); is != "approval_denied" {
		t.Errorf("denied: %s", text)
	}
	nothing()

	// Nobody is asked, nothing passes; who has a ticket goes on with it when the server is back.
	bobs := func(ticket string) request { return call("planner", "bob", "delete_repo", ticket) }
	ticket = f.pending(t, bobs(""))
	phones.Stop()
	for name, one := range map[string]request{"who has a ticket": bobs(ticket), "who has none": call("planner", "carol", "delete_repo", "")} {
		// Before a second is over the server would not be asked.
		check(t, live.Until("the fault, "+name, func() (bool, error) {
			status, text := f.send(one)
			is, all := reasonOf(status, text)
			if status != 503 && is != "approval_pending" {
				return false, fmt.Errorf("%s", all)
			}
			return status == 503 && is == "approval_unavailable", nil
		}))
	}
	nothing()
	check(t, phones.Start())
	phones.Say("yes")
	check(t, live.Until("the ticket of before", func() (bool, error) {
		status, text := f.send(bobs(ticket))
		if is, all := reasonOf(status, text); status != 200 && is != "approval_unavailable" && is != "approval_pending" {
			return false, fmt.Errorf("%s", all)
		}
		time.Sleep(300 * time.Millisecond)
		return status == 200, nil
	}))
}

// pending is the ticket of a question that is out.
func (f *field) pending(t *testing.T, r request) string {
	t.Helper()
	status, text := f.answer(r)
	var refusal struct {
		Error struct{ Data struct{ Ticket string } }
	}
	if is, _ := reasonOf(status, text); status != 403 || is != "approval_pending" || json.Unmarshal([]byte(text), &refusal) != nil || refusal.Error.Data.Ticket == "" {
		t.Fatalf("%d %s %s", status, text, f.waypoint.Log())
	}
	return refusal.Error.Data.Ticket
}

// settled is what comes once the user has answered.
func (f *field) settled(t *testing.T, r request) (status int, text string) {
	t.Helper()
	check(t, live.Until("the user's answer", func() (bool, error) {
		status, text = f.answer(r)
		time.Sleep(300 * time.Millisecond)
		is, _ := reasonOf(status, text)
		return is != "approval_pending", nil
	}))
	return status, text
}

// The reason of a refusal, and the whole of it for a test that wants another one.
func reasonOf(status int, text string) (reason, all string) {
	var refusal struct {
		Error struct{ Data struct{ Reason string } }
	}
	_ = json.Unmarshal([]byte(text), &refusal)
	return refusal.Error.Data.Reason, fmt.Sprintf("%d %s", status, text)
}
