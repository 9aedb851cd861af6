// An MCP server of the Go SDK; it answers in 2025-11-25 and in 2026-07-28 on one URL.
//
// Arguments: the port on the loopback address, and the file that its dangerous tool appends to.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type echo struct {
	Message string `json:"message"`
}

type deleteRepo struct {
	Name string `json:"name"`
}

type count struct {
	Steps   int     `json:"steps"`
	Seconds float64 `json:"seconds"`
}

func main() {
	port, deleted := os.Args[1], os.Args[2]
	server := mcp.NewServer(&mcp.Implementation{Name: "go", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "echo", Description: "Give the message back."},
		func(_ context.Context, _ *mcp.CallToolRequest, in echo) (*mcp.CallToolResult, any, error) {
			return text("Echo: " + in.Message), nil, nil
		})
	mcp.AddTool(server, &mcp.Tool{Name: "delete_repo", Description: "Delete a repository: a line in a file stands for it."},
		func(_ context.Context, _ *mcp.CallToolRequest, in deleteRepo) (*mcp.CallToolResult, any, error) {
			file, err := os.OpenFile(deleted, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				return nil, nil, err
			}
			defer file.Close()
			if _, err := fmt.Fprintln(file, in.Name); err != nil {
				return nil, nil, err
			}
			return text("deleted " + in.Name), nil, nil
		})
	mcp.AddTool(server, &mcp.Tool{Name: "count", Description: "Count slowly, with a progress notification a step."}, slowly)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, bothEras(server)))
}

// The SDK speaks 2026-07-28 only where there are no sessions.
func bothEras(server *mcp.Server) http.Handler {
	serve := func(*http.Request) *mcp.Server { return server }
	legacy := mcp.NewStreamableHTTPHandler(serve, nil)
	modern := mcp.NewStreamableHTTPHandler(serve, &mcp.StreamableHTTPOptions{Stateless: true})
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if request.Header.Get("Mcp-Protocol-Version") == "2026-07-28" {
			modern.ServeHTTP(writer, request)
		} else {
			legacy.ServeHTTP(writer, request)
		}
	})
}

func slowly(ctx context.Context, call *mcp.CallToolRequest, in count) (*mcp.CallToolResult, any, error) {
	for step := 1; step <= in.Steps; step++ {
		time.Sleep(time.Duration(in.Seconds / float64(in.Steps) * float64(time.Second)))
		progress := &mcp.ProgressNotificationParams{Progress: float64(step), Total: float64(in.Steps)}
		progress.ProgressToken = call.Params.GetProgressToken()
		if progress.ProgressToken == nil {
			continue
		}
		if err := call.Session.NotifyProgress(ctx, progress); err != nil {
			return nil, nil, err
		}
	}
	return text(fmt.Sprintf("counted to %d", in.Steps)), nil, nil
}

func text(said string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: said}}}
}
