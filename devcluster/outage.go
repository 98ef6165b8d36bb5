package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
)

// listener knows its connections, to break them all at once, as those of a server break that is killed. One that is
// told to end would serve the watches that it has for another minute.
type listener struct {
	net.Listener
	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed chan struct{}
	once   sync.Once
}

type conn struct {
	net.Conn
	of *listener
}

func listen(address string) (*listener, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return &listener{Listener: ln, conns: map[*conn]struct{}{}, closed: make(chan struct{})}, nil
}

func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		if errors.Is(err, net.ErrClosed) {
			<-l.closed // a server whose listener fails before it was told to end panics
		}
		return nil, err
	}
	c := &conn{accepted, l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = struct{}{}
	return c, nil
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func (c *conn) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// cut ends listening and breaks every connection; the server is to be told to end.
func (l *listener) cut() {
	l.Listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Conn.Close()
	}
}

// comeBack makes the API server that was away ready to run again, at the same address. etcd gives up the history of
// all objects first: a watch that is taken up where it broke is answered 410.
func comeBack(ctx context.Context, cp *controlPlane, e *embed.Etcd, address string) (*listener, func(context.Context) error, error) {
	forget := etcdserverpb.CompactionRequest{Revision: e.Server.KV().Rev(), Physical: true}
	if _, err := e.Server.Compact(ctx, &forget); err != nil {
		return nil, nil, fmt.Errorf("compacting etcd: %w", err)
	}
	var ln *listener
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var err error
		if ln, err = listen(address); err == nil {
			break
		} else if time.Now().After(limit) {
			return nil, nil, err // somebody else's connection has the port
		}
	}
	// Options that none has used yet.
	var err error
	if cp.api, err = parseAPIServer(cp.apiArgs); err != nil {
		return nil, nil, err
	}
	run, err := cp.apiServer(ctx, ln)
	say("kube-apiserver starts again")
	return ln, run, err
}
