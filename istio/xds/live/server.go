package live

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
)

// Server stands for a pod: it notes every request and hands it on to a real MCP server, or answers it itself below `/own`.
type Server struct {
	Port   int
	server *http.Server
	lock   sync.Mutex
	seen   []Request
	// Go lets streams below `/own/stream` end: each takes one.
	Go chan struct{}
}

// Request is one that reached the pod.
type Request struct {
	Path   string
	Header http.Header
}

// Serve listens until it is stopped; `mcp` is the port of the server behind.
func Serve(mcp int) (*Server, error) {
	listener, err := net.Listen("tcp", Loopback(FreePort()))
	if err != nil {
		return nil, err
	}
	to := &url.URL{Scheme: "http", Host: Loopback(mcp)}
	// The MCP server answers to its own name only.
	behind := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(request *httputil.ProxyRequest) { request.SetURL(to) }}
	served := &Server{Port: listener.Addr().(*net.TCPAddr).Port, Go: make(chan struct{})}
	mux := http.NewServeMux()
	mux.Handle("/", behind)
	mux.HandleFunc("/own", answer)
	mux.HandleFunc("/own/stream", served.stream)
	served.server = &http.Server{Handler: http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		served.lock.Lock()
		served.seen = append(served.seen, Request{request.URL.Path, request.Header.Clone()})
		served.lock.Unlock()
		mux.ServeHTTP(writer, request)
	})}
	go func() { _ = served.server.Serve(listener) }()
	return served, nil
}

// Seen is what has come since the last time that it was asked.
func (s *Server) Seen() []Request {
	s.lock.Lock()
	defer s.lock.Unlock()
	seen := s.seen
	s.seen = nil
	return seen
}

// Stop ends it.
func (s *Server) Stop() { _ = s.server.Close() }

func answer(writer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil || !bytes.Contains(body, []byte(`"id":1`)) {
		http.Error(writer, "not the call of a test", http.StatusBadRequest)
		return
	}
	writer.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(writer, result)
}

const result = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}]}}`

// A notification at once, the result when the test says so.
func (s *Server) stream(writer http.ResponseWriter, request *http.Request) {
	if _, err := io.ReadAll(request.Body); err != nil {
		return
	}
	writer.Header().Set("Content-Type", "text/event-stream")
	const progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`
	_, _ = fmt.Fprintf(writer, "data: %s\n\n", progress)
	writer.(http.Flusher).Flush()
	select {
	case <-s.Go:
		_, _ = fmt.Fprintf(writer, "data: %s\n\n", result)
	case <-request.Context().Done():
	}
}
