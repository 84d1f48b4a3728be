package main

// A client's connection, request by request.

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	linger   = time.Second
	tunnelAt = 32 << 10 // bytes that a tunnel reads at once
)

// entry is what is known of a request, for the log.
type entry struct {
	method, host, path string
	port               int
	address, rule      string
	up, down           atomic.Int64
	began              time.Time
	isDialled          bool
}

type stage int32

const (
	waiting  stage = iota // for another request
	reading               // the head of a request
	dialling              // which has a limit of its own
	busy
)

// connection is a client's connection, and the server's that it has at the moment.
type connection struct {
	filter *filter
	client *net.TCPConn
	source *source

	stage    atomic.Int32
	deadline atomic.Int64 // nanoseconds on the filter's clock

	mutex      sync.Mutex
	server     *net.TCPConn
	stopped    *refusal // why it was stopped from outside
	isAnswered bool

	isGone  atomic.Bool // whether the client is
	isEnded atomic.Bool // whether it sends no more, be it that it waits for an answer or that it is gone
}

func newConnection(filter *filter, client *net.TCPConn) *connection {
	c := &connection{filter: filter, client: client}
	c.source = newSource(client, c.watchClient, malformed)
	c.enter(reading)
	return c
}

func (c *connection) enter(next stage) {
	c.stage.Store(int32(next))
	switch next {
	case reading:
		c.deadline.Store(c.filter.now() + int64(c.filter.header))
	case dialling:
		c.deadline.Store(math.MaxInt64)
	default:
		c.deadline.Store(c.filter.now() + int64(c.filter.idle))
	}
}

// watchClient is told of everything that is read from the client.
func (c *connection) watchClient(err error) {
	c.touch(nil)
	if err != nil && err != io.EOF && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.isGone.Store(true)
	}
}

// touch notes that something moved, either way.
func (c *connection) touch(error) {
	if stage(c.stage.Load()) == busy {
		c.deadline.Store(c.filter.now() + int64(c.filter.idle))
	}
}

// expire ends what takes too long: with an answer, unless one has begun or none is expected.
func (c *connection) expire(now int64) {
	if now < c.deadline.Load() {
		return
	}
	c.deadline.Store(math.MaxInt64)
	switch stage(c.stage.Load()) {
	case waiting:
		c.dismiss()
	case reading:
		c.stop(&refusal{503, "limit: header", "it took too long (header)"})
	default:
		c.stop(&refusal{503, "limit: idle", "it took too long (idle)"})
	}
}

// dismiss ends a connection that waits for another request.
func (c *connection) dismiss() { _ = c.client.SetReadDeadline(time.Unix(1, 0)) }

func (c *connection) stop(why *refusal) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.stopped == nil {
		c.stopped = why
	}
	_ = c.client.SetReadDeadline(time.Unix(1, 0))
	_ = c.client.SetWriteDeadline(time.Now().Add(linger))
	if c.server != nil {
		c.server.Close()
	}
	if c.isAnswered {
		breakOff(c.client)
	}
}

// breakOff ends a connection so that the other side cannot take it for a regular end.
func breakOff(connection *net.TCPConn) {
	_ = connection.SetLinger(0)
	connection.Close()
}

// serve serves a connection until it ends; each request leaves a line in the log.
func (c *connection) serve() {
	for again := true; again; {
		now := &entry{began: time.Now()}
		request, err := c.next(now)
		if err == nil && request == nil {
			break
		}
		switch {
		case err != nil:
			again = false
		case request.method == "CONNECT":
			again, err = false, c.tunnel(request, now)
		default:
			again, err = c.forward(request, now)
		}
		decision := "allow"
		if err != nil {
			again = false
			decision = c.fail(err, now)
		}
		c.leave()
		if decision != "" {
			c.filter.record(decision, now)
		}
		c.enter(waiting)
		again = again && !c.filter.isDraining.Load()
	}
	c.finish()
}

// next returns the next request; nil if the client has no more.
func (c *connection) next(now *entry) (*request, error) {
	if c.source.Buffered() == 0 {
		if found, err := c.source.more(); err != nil || !found {
			return nil, err
		}
	}
	if stage(c.stage.Load()) == waiting {
		c.enter(reading)
	}
	now.began = time.Now()
	return c.source.request(now)
}

// reach judges a request's target, vets its addresses and connects to one.
func (c *connection) reach(r *request, now *entry) error {
	if bad := c.filter.log.require(); bad != nil {
		return bad
	}
	what := "request"
	if r.method == "CONNECT" {
		what = "CONNECT"
	}
	rule, bad := c.filter.judge(r.target, what)
	if bad != nil {
		return bad
	}
	now.rule = rule
	c.enter(dialling)
	ctx, cancel := context.WithTimeout(context.Background(), c.filter.dial)
	defer cancel()
	addresses, err := c.filter.vetted(ctx, r.target, what, now)
	var refused *refusal
	if errors.As(err, &refused) {
		return refused
	}
	if err != nil {
		return unreachable(r.target, err)
	}
	server, address, err := dial(ctx, addresses, r.target.port)
	if err != nil {
		return unreachable(r.target, err)
	}
	now.address, now.isDialled = address.String(), true
	c.enter(busy)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.stopped != nil {
		server.Close()
		return c.stopped
	}
	c.server = server
	return nil
}

// leave ends the use of the server; the client may ask again.
func (c *connection) leave() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.server != nil {
		c.server.Close()
		c.server = nil
	}
	c.isAnswered = false
}

// answer says that the answer to the client begins, after which no other can be given. It returns why, if it was stopped before.
func (c *connection) answer() *refusal {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.stopped == nil {
		c.isAnswered = true
	}
	return c.stopped
}

// fail tells the client what went wrong, if it can still be told; it returns what was decided, "" if there was no request.
func (c *connection) fail(err error, now *entry) string {
	c.mutex.Lock()
	stopped, isAnswered, hasServer := c.stopped, c.isAnswered, c.server != nil
	c.mutex.Unlock()
	var broken gone
	isGone := stopped == nil && (c.isGone.Load() || (errors.As(err, &broken) && !hasServer))
	refused := stopped
	if refused == nil {
		refused = asRefusal(err, now)
	}
	switch {
	case isAnswered:
		breakOff(c.client)
	case !isGone:
		_ = c.client.SetWriteDeadline(time.Now().Add(linger))
		_, _ = c.client.Write(refused.answer(now.method))
	case now.method == "":
		return ""
	}
	now.rule = refused.rule
	if isGone {
		now.rule = "client: closed"
	}
	if isGone || refused.status == 502 {
		return "fail"
	}
	return "refuse"
}

func asRefusal(err error, now *entry) *refusal {
	var refused *refusal
	var broken gone
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &broken):
		return &refusal{502, "response: " + broken.reason, now.host + " aborted: " + broken.reason}
	}
	return &refusal{502, "error: " + err.Error(), "the proxy failed"}
}

// finish ends the connection; what the client still sends is dropped, so that it does not miss the answer.
func (c *connection) finish() {
	_ = c.client.CloseWrite()
	_ = c.client.SetReadDeadline(time.Now().Add(linger))
	_, _ = io.Copy(io.Discard, c.client)
	c.client.Close()
}

// send writes to a server or client. A client that cannot be written to is gone.
func (c *connection) send(to *net.TCPConn, data []byte) error {
	_, err := to.Write(data)
	c.touch(nil)
	if err == nil {
		return nil
	}
	if to == c.client {
		c.isGone.Store(true)
	}
	return gone{errorCode(err)}
}

// upload is a request's body on its way to the server. When all of it is sent, the client is watched: one that aborts
// needs no answer.
type upload struct {
	isRead atomic.Bool   // whether the client has sent all of it
	ended  chan struct{} // closed when nobody reads from the client any more
	err    error         // what was wrong with the client's side; read it once `ended` is closed
}

func (c *connection) upload(r *request, server *net.TCPConn, now *entry) *upload {
	sending := &upload{ended: make(chan struct{})}
	if r.framing.kind == noBody || (r.framing.kind == byLength && r.framing.length == 0) {
		sending.isRead.Store(true)
	}
	go func() {
		defer close(sending.ended)
		out := &sink{c: c, to: server, isChunked: r.framing.kind == chunked, count: &now.up}
		left := r.framing.length
		trailers, err := out.take(c.source, r.framing, func(piece []byte) error {
			// Before the last piece is sent, since the server's answer may be here before this is called again.
			left -= int64(len(piece))
			if r.framing.kind == byLength && left == 0 {
				sending.isRead.Store(true)
			}
			return out.add(piece)
		})
		if err == nil {
			sending.isRead.Store(true)
			if r.framing.kind == chunked {
				_ = c.send(server, head("0", trailers))
			}
		}
		// A server may answer without reading all; a client that aborts, or its framing, ends the request.
		if err != nil {
			if out.err == nil && err != woken {
				sending.err = err
				server.Close()
			}
			return
		}
		found, err := c.source.more()
		c.isEnded.Store(err == nil && !found)
		if c.isGone.Load() {
			sending.err = err
			server.Close()
		}
	}()
	return sending
}

// sink writes a body. Pieces that are small and here already are sent as one: each by itself would cost as much as a large
// one, and a client could keep the filter busy with few bytes.
type sink struct {
	c         *connection
	to        *net.TCPConn
	isChunked bool
	count     *atomic.Int64
	unsent    []byte
	err       error // what went wrong in writing
}

const smallPiece = 4096

// take writes the body that a source sends, whose pieces go to `pass` first, and returns its trailers.
func (s *sink) take(from *source, how framing, pass func([]byte) error) (fields, error) {
	from.empty = s.flush
	trailers, err := from.body(how, pass)
	from.empty = nil
	if unwritten := s.flush(); err == nil {
		err = unwritten
	}
	return trailers, err
}

func (s *sink) add(piece []byte) error {
	if len(s.unsent) == 0 && len(piece) >= smallPiece {
		return s.write(piece)
	}
	s.unsent = append(s.unsent, piece...)
	if len(s.unsent) >= smallPiece {
		return s.flush()
	}
	return nil
}

func (s *sink) flush() error {
	if len(s.unsent) == 0 {
		return s.err
	}
	piece := s.unsent
	s.unsent = s.unsent[:0]
	return s.write(piece)
}

func (s *sink) write(piece []byte) error {
	data := piece
	if s.isChunked {
		data = append(strconv.AppendInt(nil, int64(len(piece)), 16), "\r\n"...)
		data = append(append(data, piece...), "\r\n"...)
	}
	if s.err == nil {
		s.err = s.c.send(s.to, data)
	}
	if s.err == nil {
		s.count.Add(int64(len(piece)))
	}
	return s.err
}

// forward passes on a request and its answer; it returns whether the client may send another.
func (c *connection) forward(r *request, now *entry) (again bool, err error) {
	if err := c.reach(r, now); err != nil {
		return false, err
	}
	server := c.server
	answers := newSource(server, c.touch, func(what string) *refusal {
		return &refusal{502, "response: " + what, r.target.host + " does not answer as it should: " + what}
	})
	if err := c.send(server, r.head()); err != nil {
		return false, err
	}
	sending := c.upload(r, server, now)
	again, err = c.answers(r, answers, sending, now)
	if !again || err != nil {
		server.Close()
	}
	if stopped := c.takeBack(sending); stopped != nil && err == nil {
		return false, stopped
	}
	if err != nil && sending.err != nil {
		err = sending.err
	}
	return again, err
}

// takeBack ends the reading from the client that an upload does.
func (c *connection) takeBack(sending *upload) *refusal {
	_ = c.client.SetReadDeadline(time.Unix(1, 0))
	<-sending.ended
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.stopped == nil {
		_ = c.client.SetReadDeadline(time.Time{})
	}
	return c.stopped
}

// answers passes on what the server answers; it returns whether the client may send another request.
func (c *connection) answers(r *request, answers *source, sending *upload, now *entry) (bool, error) {
	got, err := c.finalResponse(r, answers)
	if err != nil {
		return false, err
	}
	if got.status == 101 {
		c.takeBack(sending)
		if stopped := c.answer(); stopped != nil {
			return false, stopped
		}
		if err := c.send(c.client, got.head(headerField{"Connection", "Upgrade"}, headerField{"Upgrade", "websocket"})); err != nil {
			return false, err
		}
		return false, c.join(answers, now)
	}
	isFramed := got.framing.kind != untilClose
	isChunked := r.isModern && (got.framing.kind == chunked || !isFramed)
	again := r.keepAlive && sending.isRead.Load() && !c.filter.isDraining.Load() && (isFramed || isChunked)
	var extra fields
	if isChunked {
		extra = append(extra, headerField{"Transfer-Encoding", "chunked"})
	}
	if got.framing.kind == byLength {
		extra = append(extra, headerField{"Content-Length", strconv.FormatInt(got.framing.length, 10)})
	}
	connection := "close"
	if again {
		connection = "keep-alive"
	}
	if stopped := c.answer(); stopped != nil {
		return false, stopped
	}
	if err := c.send(c.client, got.head(append(extra, headerField{"Connection", connection})...)); err != nil {
		return false, err
	}
	out := &sink{c: c, to: c.client, isChunked: isChunked, count: &now.down}
	trailers, err := out.take(answers, got.framing, out.add)
	if err == nil && isChunked {
		err = c.send(c.client, head("0", trailers))
	}
	return again, err
}

// finalResponse reads the response that ends the exchange; those before it (100, 103) are passed on.
func (c *connection) finalResponse(r *request, answers *source) (*response, error) {
	for interim := 0; ; interim++ {
		got, err := answers.response(r)
		if err != nil || got.status >= 200 || got.status == 101 {
			return got, err
		}
		if interim == mostInterim {
			return nil, answers.fault("too many interim responses")
		}
		if r.isModern {
			first := "HTTP/1.1 " + strconv.Itoa(got.status) + " " + got.reason
			if err := c.send(c.client, head(first, got.fields)); err != nil {
				return nil, err
			}
		}
	}
}

// tunnel opens a tunnel, and stays until both sides have ended it.
func (c *connection) tunnel(r *request, now *entry) error {
	if err := c.reach(r, now); err != nil {
		return err
	}
	if stopped := c.answer(); stopped != nil {
		return stopped
	}
	c.filter.records.request(r.method, r.target.host, "", true, time.Since(now.began))
	if err := c.send(c.client, []byte("HTTP/1.1 200 Connection Established\r\n\r\n")); err != nil {
		return err
	}
	return c.join(newSource(c.server, c.touch, malformed), now)
}

// join lets client and server exchange bytes; either may finish first.
func (c *connection) join(answers *source, now *entry) error {
	client, server := c.client, c.server
	up := make(chan struct{})
	go func() {
		defer close(up)
		c.pump(server, client, c.source, &now.up)
	}()
	c.pump(client, server, answers, &now.down)
	<-up
	server.Close()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.stopped != nil {
		return c.stopped
	}
	return nil
}

var pieces = sync.Pool{New: func() any { return new([tunnelAt]byte) }}

// pump writes to one side what the other sends, until that ends.
func (c *connection) pump(to, from *net.TCPConn, first *source, count *atomic.Int64) {
	buffer := pieces.Get().(*[tunnelAt]byte)
	defer pieces.Put(buffer)
	early, _ := first.Peek(first.Buffered())
	piece := append([]byte(nil), early...)
	for {
		if len(piece) > 0 {
			if _, err := to.Write(piece); err != nil {
				breakOff(from)
				return
			}
			count.Add(int64(len(piece)))
			c.touch(nil)
		}
		read, err := from.Read(buffer[:])
		piece = buffer[:read]
		if read > 0 {
			continue
		}
		if err == io.EOF {
			c.isEnded.Store(c.isEnded.Load() || from == c.client)
			_ = to.CloseWrite()
		} else {
			breakOff(to)
		}
		return
	}
}
