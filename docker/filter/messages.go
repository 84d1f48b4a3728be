package main

// HTTP messages: one strict reading of RFC 9112.

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
)

const (
	longestLine = 16_384
	mostInterim = 100 // responses before the final one
	longestHead = 65_536
	mostFields  = 128
)

// refusal is what stops a request: the status for the client, the rule for the log, and a sentence for people.
type refusal struct {
	status int
	rule   string
	text   string
}

func (r *refusal) Error() string { return r.text }

// malformed is the refusal of what a client wrote.
func malformed(what string) *refusal { return &refusal{400, "syntax: " + what, what} }

func malformedAs(status int, what string) *refusal { return &refusal{status, "syntax: " + what, what} }

// gone is an error of a connection: the other side went away, or aborted.
type gone struct{ reason string }

func (g gone) Error() string { return g.reason }

// woken ends a read that nobody waits for any more.
var woken = gone{"woken"}

// source reads what a connection sends.
type source struct {
	*bufio.Reader
	fault func(what string) *refusal // makes the refusal for what this side got wrong
	empty func() error               // called before it waits for more; nil if nobody wants to know
}

func newSource(connection net.Conn, touched func(error), fault func(string) *refusal) *source {
	reader := touchingReader{connection, touched}
	return &source{Reader: bufio.NewReaderSize(reader, longestLine+2), fault: fault}
}

type touchingReader struct {
	net.Conn
	touched func(error)
}

func (t touchingReader) Read(into []byte) (int, error) {
	runtime.Gosched() // what was read may have taken long, and there may always be more: others go first
	count, err := t.Conn.Read(into)
	t.touched(err)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = woken
	case err != nil && err != io.EOF:
		err = gone{errorCode(err)}
	}
	return count, err
}

// more waits for more than there is; false if nothing more comes.
func (s *source) more() (bool, error) {
	if s.empty != nil {
		if err := s.empty(); err != nil {
			return false, err
		}
	}
	_, err := s.Peek(s.Buffered() + 1)
	if err == io.EOF {
		return false, nil
	}
	return err == nil, err
}

// line returns the next line of at most `longest` bytes without its CRLF.
func (s *source) line(longest, status int) (string, error) {
	for from := 0; ; {
		data, _ := s.Peek(s.Buffered())
		end := bytes.IndexByte(data[from:], '\n')
		if end >= 0 {
			end += from
		}
		if end > longest+1 || (end < 0 && len(data) > longest+1) {
			return "", s.faultAs(status, "line too long")
		}
		if end >= 0 {
			return s.checkedLine(data[:end+1])
		}
		from = len(data)
		if found, err := s.more(); err != nil {
			return "", err
		} else if !found {
			return "", s.fault("it ends early")
		}
	}
}

func (s *source) faultAs(status int, what string) *refusal {
	bad := s.fault(what)
	if bad.status == 400 {
		bad.status = status
	}
	return bad
}

func (s *source) checkedLine(data []byte) (string, error) {
	if len(data) < 2 || data[len(data)-2] != '\r' {
		return "", s.fault("bare LF")
	}
	line := string(data[:len(data)-2])
	_, _ = s.Discard(len(data))
	what := ""
	for i := 0; i < len(line); i++ {
		if character := line[i]; (character < 0x20 && character != '\t') || character == 0x7f {
			what = "control character"
		}
	}
	if strings.ContainsRune(line, 0) {
		what = "NUL"
	} else if strings.Contains(line, "\r") {
		what = "bare CR"
	}
	if what != "" {
		return "", s.fault(what)
	}
	return line, nil
}

type headerField struct{ name, value string }

type fields []headerField

func isToken(text string) bool {
	for i := 0; i < len(text); i++ {
		if !isWord(int(text[i])) && strings.IndexByte("!#$%&'*+.^`|~-", text[i]) < 0 {
			return false
		}
	}
	return text != ""
}

func (s *source) fields() (fields, error) {
	var found fields
	left := longestHead
	for {
		line, err := s.line(min(left, longestLine), 431)
		if err != nil || line == "" {
			return found, err
		}
		left -= len(line) + 2
		if len(found) == mostFields {
			return nil, s.faultAs(431, "too many header fields")
		}
		name, value, _ := strings.Cut(line, ":")
		if !isToken(name) || len(name) == len(line) {
			if line[0] == ' ' || line[0] == '\t' {
				return nil, s.fault("obs-fold")
			}
			return nil, s.fault("bad header name")
		}
		found = append(found, headerField{name, strings.Trim(value, " \t")})
	}
}

func (f fields) valuesOf(wanted string) []string {
	var values []string
	for _, each := range f {
		if strings.EqualFold(each.name, wanted) {
			values = append(values, each.value)
		}
	}
	return values
}

// listOf returns the members of a header that is a list, in lower case.
func (f fields) listOf(name string) []string {
	var members []string
	for _, value := range f.valuesOf(name) {
		for _, item := range strings.Split(strings.ToLower(value), ",") {
			if item = strings.TrimSpace(item); item != "" {
				members = append(members, item)
			}
		}
	}
	return members
}

func has(list []string, wanted string) bool {
	for _, each := range list {
		if each == wanted {
			return true
		}
	}
	return false
}

// Meant for one connection only, by RFC 9110 and custom; what a Connection header names comes on top. Content-Length and
// Host are written again for each message that is sent on.
var dropped = []string{
	"connection", "http2-settings", "keep-alive", "proxy-authenticate", "proxy-authentication-info", "proxy-authorization",
	"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "host",
}

// What a trailer must not change any more.
var notInTrailers = []string{
	"authorization", "cache-control", "content-encoding", "content-range", "content-type", "cookie", "expect",
	"max-forwards", "range", "set-cookie", "via", "www-authenticate",
}

func (f fields) without(names ...string) fields {
	var kept fields
	for _, each := range f {
		if !has(names, strings.ToLower(each.name)) {
			kept = append(kept, each)
		}
	}
	return kept
}

// endToEnd returns the fields that are for the other end.
func (s *source) endToEnd(all fields) (fields, error) {
	named := all.listOf("connection")
	for _, name := range named {
		if !isToken(name) {
			return nil, s.fault("bad Connection")
		}
	}
	return all.without(dropped...).without(named...), nil
}

type framingKind int

const (
	unstated framingKind = iota // nothing says how long the body is
	noBody
	byLength
	chunked
	untilClose
)

type framing struct {
	kind   framingKind
	length int64
}

// framing returns what the fields say about the body's length.
func (s *source) framing(all fields, isModern bool) (framing, error) {
	lengths, codings := all.valuesOf("content-length"), all.valuesOf("transfer-encoding")
	switch {
	case len(codings) > 0 && len(lengths) > 0:
		return framing{}, s.fault("Content-Length with Transfer-Encoding")
	case len(codings) > 0:
		if !isModern || len(codings) > 1 || !strings.EqualFold(codings[0], "chunked") {
			return framing{}, s.fault("Transfer-Encoding other than chunked")
		}
		return framing{kind: chunked}, nil
	case len(lengths) == 0:
		return framing{}, nil
	case len(lengths) > 1 || lengths[0] == "" || len(lengths[0]) > 15 || !allDigits(lengths[0]):
		return framing{}, s.fault("bad Content-Length")
	}
	length, _ := strconv.ParseInt(lengths[0], 10, 64)
	return framing{kind: byLength, length: length}, nil
}

type request struct {
	method    string
	isModern  bool // HTTP/1.1
	target    target
	path      string // byte for byte what the client wrote
	fields    fields
	framing   framing
	keepAlive bool
	upgrade   bool // to websocket
	expects   bool // an answer before it sends its body
}

// request reads a request up to its body; entry learns what is known of it, however far that goes.
func (s *source) request(entry *entry) (*request, error) {
	line, err := s.line(longestLine, 414)
	if err == nil && line == "" {
		line, err = s.line(longestLine, 414) // as RFC 9112 wishes: some clients end a body with it
	}
	if err != nil {
		return nil, err
	}
	method, uri, version, bad := requestLine(line)
	if bad != nil {
		return nil, bad
	}
	entry.method = method
	if version != "1.1" && version != "1.0" {
		return nil, malformedAs(505, "HTTP version")
	}
	read := &request{method: method, isModern: version == "1.1"}
	isTunnel := method == "CONNECT"
	if isTunnel {
		read.target, bad = parseAuthority(uri, 0)
	} else {
		read.target, read.path, bad = parseURI(uri, method)
	}
	if bad != nil {
		return nil, bad
	}
	entry.host, entry.port, entry.path = read.target.host, read.target.port, read.path
	all, err := s.fields()
	if err != nil {
		return nil, err
	}
	return read, s.complete(read, all, isTunnel)
}

// complete adds what the fields say to a request.
func (s *source) complete(read *request, all fields, isTunnel bool) (err error) {
	if upper := strings.ToUpper(read.method); !isTunnel && (upper == "TRACE" || upper == "TRACK" || upper == "CONNECT") {
		return malformedAs(405, "method "+read.method)
	}
	if bad := requireHost(all, read.target, read.isModern, isTunnel); bad != nil {
		return bad
	}
	if read.method == "OPTIONS" && len(all.valuesOf("max-forwards")) > 0 {
		return malformed("Max-Forwards is not taken")
	}
	if read.framing, err = s.framing(all, read.isModern); err != nil {
		return err
	}
	if read.framing.kind == unstated {
		read.framing.kind = noBody
	}
	if isTunnel && (read.framing.kind == chunked || read.framing.length > 0) {
		return malformed("CONNECT with a body")
	}
	if read.fields, err = s.endToEnd(all); err != nil {
		return err
	}
	expected := all.listOf("expect")
	for _, what := range expected {
		if read.isModern && what != "100-continue" {
			return malformedAs(417, "unknown Expect")
		}
	}
	read.keepAlive = read.isModern && !has(all.listOf("connection"), "close")
	read.upgrade = read.isModern && read.method == "GET" && read.framing.kind == noBody && all.asksForWebSocket()
	read.expects = read.isModern && len(expected) > 0
	return nil
}

func requestLine(line string) (method, uri, version string, bad *refusal) {
	words := strings.Split(line, " ")
	if len(words) != 3 || words[1] == "" || !isToken(words[0]) || !strings.HasPrefix(words[2], "HTTP/") {
		return "", "", "", malformed("bad request line")
	}
	version = words[2][len("HTTP/"):]
	if len(version) != 3 || version[1] != '.' || !isDigit(int(version[0])) || !isDigit(int(version[2])) {
		return "", "", "", malformed("bad request line")
	}
	return words[0], words[1], version, nil
}

// parseURI returns the target and path of an absolute http URI.
func parseURI(uri, method string) (target, string, *refusal) {
	const scheme = "http://"
	bad := malformed("no absolute http address")
	bad.text = "this is a proxy: ask for an absolute http:// address, or CONNECT"
	if len(uri) < len(scheme) || !strings.EqualFold(uri[:len(scheme)], scheme) {
		return target{}, "", bad
	}
	authority, path := uri[len(scheme):], ""
	if end := strings.IndexAny(authority, "/?"); end >= 0 {
		authority, path = authority[:end], authority[end:]
	}
	for i := 0; i < len(path); i++ {
		if path[i] < 0x21 || path[i] > 0x7e || path[i] == '#' {
			return target{}, "", bad
		}
	}
	found, refused := parseAuthority(authority, 80)
	switch {
	case path == "" && method == "OPTIONS":
		path = "*"
	case !strings.HasPrefix(path, "/"):
		path = "/" + path
	}
	return found, path, refused
}

// requireHost refuses a request whose Host is missing, repeated or another one. The Host of a CONNECT may be anything: RFC
// 9110, 9.3.6, has the target in the request line alone, and Node's documented form sends the proxy's own host.
func requireHost(all fields, wanted target, isModern, isTunnel bool) *refusal {
	hosts := all.valuesOf("host")
	switch {
	case len(hosts) == 0 && !isModern:
		return nil
	case len(hosts) == 0:
		return malformed("no Host")
	case len(hosts) > 1:
		return malformed("duplicate Host")
	case isTunnel:
		return nil
	}
	host, bad := parseAuthority(hosts[0], 80)
	if bad != nil {
		return bad
	}
	if host.host != wanted.host || host.port != wanted.port {
		return malformed("Host differs from the address")
	}
	return nil
}

func (f fields) asksForWebSocket() bool {
	protocols := f.listOf("upgrade")
	return has(f.listOf("connection"), "upgrade") && len(protocols) == 1 && protocols[0] == "websocket"
}

type response struct {
	status  int
	reason  string
	fields  fields
	framing framing
}

// response reads the response to a request up to its body.
func (s *source) response(to *request) (*response, error) {
	line, err := s.line(longestLine, 502)
	if err != nil {
		return nil, err
	}
	version, rest, _ := strings.Cut(line, " ")
	code, reason, _ := strings.Cut(rest, " ")
	isModern := version == "HTTP/1.1"
	if (!isModern && version != "HTTP/1.0") || len(code) != 3 || !allDigits(code) || code[0] < '1' || code[0] > '5' {
		return nil, s.fault("bad status line")
	}
	status, _ := strconv.Atoi(code)
	all, err := s.fields()
	if err != nil {
		return nil, err
	}
	stated, err := s.framing(all, isModern)
	if err != nil {
		return nil, err
	}
	kept, err := s.endToEnd(all)
	if err != nil {
		return nil, err
	}
	if status == 101 && !(to.upgrade && all.asksForWebSocket()) {
		return nil, s.fault("unasked 101")
	}
	read := &response{status: status, reason: reason, fields: kept, framing: stated}
	isBare := to.method == "HEAD" || status == 204 || status == 304 || status < 200
	switch {
	case isBare:
		read.framing.kind = noBody
		if stated.kind == byLength && status != 204 && status >= 200 {
			read.fields = append(read.fields, headerField{"Content-Length", strconv.FormatInt(stated.length, 10)})
		}
	case stated.kind == unstated:
		read.framing.kind = untilClose
	}
	return read, nil
}

// body passes the bytes of a body to `pass` piece by piece, and returns its trailers.
func (s *source) body(how framing, pass func(piece []byte) error) (fields, error) {
	switch how.kind {
	case untilClose:
		for {
			if found, err := s.piece(longestLine, pass); err != nil || found == 0 {
				return nil, err
			}
		}
	case byLength:
		return nil, s.exactly(how.length, pass)
	case chunked:
		for {
			size, err := s.chunkSize()
			if err != nil {
				return nil, err
			}
			if size == 0 {
				break
			}
			if err := s.exactly(size, pass); err != nil {
				return nil, err
			}
			if err := s.chunkEnd(); err != nil {
				return nil, err
			}
		}
		all, err := s.fields()
		if err != nil {
			return nil, err
		}
		sent, err := s.endToEnd(all)
		return sent.without(notInTrailers...), err
	}
	return nil, nil
}

// piece passes on up to `most` bytes as soon as there are some, and returns how many; 0 at the end.
func (s *source) piece(most int64, pass func([]byte) error) (int64, error) {
	if s.Buffered() == 0 {
		if found, err := s.more(); err != nil || !found {
			return 0, err
		}
	}
	data, _ := s.Peek(int(min(int64(s.Buffered()), most)))
	if err := pass(data); err != nil {
		return 0, err
	}
	_, _ = s.Discard(len(data))
	return int64(len(data)), nil
}

func (s *source) exactly(length int64, pass func([]byte) error) error {
	for left := length; left > 0; {
		found, err := s.piece(left, pass)
		if err != nil {
			return err
		}
		if found == 0 {
			return s.fault("the body ends early")
		}
		left -= found
	}
	return nil
}

func (s *source) chunkEnd() error {
	end := ""
	err := s.exactly(2, func(piece []byte) error {
		end += string(piece)
		return nil
	})
	if err == nil && end != "\r\n" {
		return s.fault("bad chunk")
	}
	return err
}

func (s *source) chunkSize() (int64, error) {
	line, err := s.line(1024, 400)
	if err != nil {
		return 0, err
	}
	digits := 0
	for digits < len(line) && strings.IndexByte("0123456789abcdefABCDEF", line[digits]) >= 0 {
		digits++
	}
	rest := strings.TrimLeft(line[digits:], " \t")
	if digits == 0 || digits > 12 || (line[digits:] != "" && !strings.HasPrefix(rest, ";")) || !isASCII(rest) {
		return 0, s.fault("bad chunk size")
	}
	return strconv.ParseInt(line[:digits], 16, 64)
}

// head returns the bytes of a first line and fields, with the empty line behind them.
func head(first string, all fields) []byte {
	var out bytes.Buffer
	out.WriteString(first + "\r\n")
	for _, each := range all {
		out.WriteString(each.name + ": " + each.value + "\r\n")
	}
	out.WriteString("\r\n")
	return out.Bytes()
}

// head returns the bytes that start a request to the server.
func (r *request) head() []byte {
	all := append(fields{{"Host", r.target.authority(80)}}, r.fields.without("expect")...)
	switch r.framing.kind {
	case byLength:
		all = append(all, headerField{"Content-Length", strconv.FormatInt(r.framing.length, 10)})
	case chunked:
		all = append(all, headerField{"Transfer-Encoding", "chunked"})
	}
	if r.expects && r.framing.kind != noBody {
		all = append(all, headerField{"Expect", "100-continue"})
	}
	all = append(all, headerField{"Via", "1.1 isol8"})
	if r.upgrade {
		all = append(all, headerField{"Connection", "Upgrade"}, headerField{"Upgrade", "websocket"})
	} else {
		// A connection for each request: one kept open could be closed by the server just as it is used again.
		all = append(all, headerField{"Connection", "close"})
	}
	return head(r.method+" "+r.path+" HTTP/1.1", all)
}

// head returns the bytes that start a response to the client.
func (r *response) head(extra ...headerField) []byte {
	all := append(append(r.fields[:len(r.fields):len(r.fields)], headerField{"Via", "1.1 isol8"}), extra...)
	return head("HTTP/1.1 "+strconv.Itoa(r.status)+" "+r.reason, all)
}

var reasons = map[int]string{
	400: "Bad Request", 403: "Forbidden", 405: "Method Not Allowed", 414: "URI Too Long", 417: "Expectation Failed",
	431: "Request Header Fields Too Large", 502: "Bad Gateway", 503: "Service Unavailable", 505: "HTTP Version Not Supported",
}

// answer returns the bytes of a response of the filter's own; a HEAD gets no body.
func (r *refusal) answer(method string) []byte {
	body := "isol8: " + r.text + "\n"
	all := fields{{"Content-Type", "text/plain"}, {"Content-Length", strconv.Itoa(len(body))}}
	if r.status == 405 {
		all = append(all, headerField{"Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, CONNECT"})
	}
	all = append(all, headerField{"Connection", "close"})
	out := head("HTTP/1.1 "+strconv.Itoa(r.status)+" "+reasons[r.status], all)
	if method == "HEAD" {
		return out
	}
	return append(out, body...)
}
