// The network filter of isol8's images: a proxy that lets code in a sandbox reach some hosts and not others, by HTTP
// requests and CONNECT tunnels. It refuses whatever it does not understand, and writes a line about each decision.
//
//	ISOL8_BLACKLIST    JSON array of regular expressions; a host that matches one is refused
//	ISOL8_WHITELIST    the same; unless it is empty, a host has to match one. The blacklist goes first
//	ISOL8_ALLOW_NETS   comma-separated networks (10.0.0.0/8) that may be reached although they are not public
//	ISOL8_ALLOW_PORTS  comma-separated ports that may be reached besides 80 and 443
//	ISOL8_PROXY_…      how it listens, logs and ends; see settings.go
//
// It uses nothing but Go's standard library, and of that neither encoding/json nor net/http: they would make it three
// times as large, and HTTP servers differ in what they let pass.
package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	sweep      = 200 * time.Millisecond
	processors = 2  // that run code at once: a sandbox may have 64 tasks in all, whatever the machine has
	threads    = 10 // that are made at the start: Go ends the program when it can make none later
)

// filter is the running program.
type filter struct {
	settings
	log     *logger
	records *records
	started time.Time

	isDraining atomic.Bool
	mutex      sync.Mutex
	open       map[*connection]bool
	turnedAway int
	leaving    int // connections that gave way, and have not ended yet
}

func main() {
	runtime.GOMAXPROCS(processors)
	reserveThreads()
	// A reader of the log that went away must not end the filter.
	signal.Ignore(syscall.SIGPIPE)
	words := os.Args[1:]
	explains := len(words) == 1 && words[0] == "--explain"
	checks := len(words) > 1 && words[0] == "--check"
	if len(words) > 0 && !explains && !checks {
		die(2, "usage: isol8-proxy [--explain | --check HOST[:PORT] …]")
	}
	read, err := readSettings(os.LookupEnv)
	if err == nil {
		err = misspelt(os.Environ())
	}
	if err != nil && (!explains || read.port == 0) {
		die(2, err.Error())
	}
	if err != nil {
		read = refuseAll(err.Error())
		say(os.Stderr, "isol8 proxy: "+err.Error()+": every request is refused")
	}
	if checks {
		os.Exit(check(&read, words[1:]))
	}
	run(read)
}

// refuseAll returns settings that let nothing through, and tell every client why.
func refuseAll(why string) settings {
	read, _ := readSettings(func(name string) (string, bool) {
		if name == "ISOL8_PROXY_HOST" || name == "ISOL8_PROXY_PORT" || name == "ISOL8_PROXY_RECORDS" {
			return os.LookupEnv(name)
		}
		return "", false
	})
	read.refused = oneLine(why)
	return read
}

// reserveThreads makes threads that Go keeps for when it needs them. Code in the sandbox can use up the tasks that it may
// have, after which none could be made. Files are read and written by few goroutines at a time, so that these are enough.
func reserveThreads() {
	release := make(chan struct{})
	var ready sync.WaitGroup
	for i := 0; i < threads; i++ {
		ready.Add(1)
		go func() {
			runtime.LockOSThread()
			ready.Done()
			<-release
			runtime.UnlockOSThread()
		}()
	}
	ready.Wait()
	close(release)
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// say writes a line that nobody may be there to read.
func say(to *os.File, text string) { _, _ = to.WriteString(oneLine(text) + "\n") }

func die(status int, message string) {
	say(os.Stderr, "isol8 proxy: "+message)
	os.Exit(status)
}

// check prints what the policy says of hosts, without looking them up; the status is 1 if one is refused.
func check(read *settings, hosts []string) (status int) {
	for _, host := range hosts {
		to, bad := parseAuthority(host, 443)
		var rule string
		if bad == nil {
			rule, bad = read.judge(to, "CONNECT")
		}
		if bad == nil && to.address.IsValid() {
			_, err := read.vetted(context.Background(), to, "CONNECT", &entry{})
			errors.As(err, &bad)
		}
		decision := "allow"
		if bad != nil {
			decision, rule, status = "refuse", bad.rule, 1
		}
		say(os.Stdout, host+" "+decision+" "+rule)
	}
	return status
}

func run(read settings) {
	f := &filter{
		settings: read, log: newLogger(read.log), started: time.Now(), open: map[*connection]bool{},
	}
	where := target{host: read.host.String(), port: read.port}.authority(0)
	var listening net.ListenConfig
	listener, err := listening.Listen(context.Background(), "tcp", where)
	if err != nil {
		die(1, "cannot listen on "+where+": "+errorCode(err))
	}
	f.records = openRecords(read.records) // not before: clients start a second filter in a container that has one
	f.logStart(where)
	say(os.Stdout, "isol8 proxy listening on "+where)
	go f.drainOnSignal(listener)
	go func() {
		for range time.Tick(sweep) {
			f.each(func(c *connection) { c.expire(f.now()) })
		}
	}()
	for {
		client, err := listener.Accept()
		switch {
		case err == nil:
			f.accept(client.(*net.TCPConn))
		case f.isDraining.Load():
			select {}
		default:
			time.Sleep(10 * time.Millisecond) // out of files, say; those that are open may end
		}
	}
}

// now returns the time on the filter's clock, in nanoseconds.
func (f *filter) now() int64 { return int64(time.Since(f.started)) }

// each calls a function for every open connection.
func (f *filter) each(do func(*connection)) {
	f.mutex.Lock()
	open := make([]*connection, 0, len(f.open))
	for c := range f.open {
		open = append(open, c)
	}
	f.mutex.Unlock()
	for _, c := range open {
		do(c)
	}
}

func (f *filter) accept(client *net.TCPConn) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	isFull := func() bool { return len(f.open) >= f.connections }
	gives := func(*connection) bool { return true }
	// One client's connections leave a quarter for others; whoever comes by loopback is the same client.
	if address := clientOf(client); !address.IsLoopback() {
		all := isFull
		isFull = func() bool { return all() || f.held(address) >= f.connections-f.connections/4 }
		if f.held(address) >= f.connections-f.connections/4 {
			gives = func(c *connection) bool { return clientOf(c.client) == address }
		}
	}
	if isFull() {
		f.makeRoom(gives)
	}
	if !isFull() {
		c := newConnection(f, client)
		f.open[c] = true
		go func() {
			c.serve()
			f.mutex.Lock()
			if !f.open[c] {
				f.leaving--
			}
			delete(f.open, c)
			f.mutex.Unlock()
		}()
		return
	}
	if f.turnedAway >= f.connections {
		breakOff(client)
		return
	}
	f.turnedAway++
	go func() {
		f.turnAway(client)
		f.mutex.Lock()
		f.turnedAway--
		f.mutex.Unlock()
	}()
}

func clientOf(connection *net.TCPConn) netip.Addr {
	from, _ := connection.RemoteAddr().(*net.TCPAddr)
	return from.AddrPort().Addr().Unmap()
}

// held returns how many connections a client has.
func (f *filter) held(by netip.Addr) (count int) {
	for c := range f.open {
		if clientOf(c.client) == by {
			count++
		}
	}
	return count
}

// makeRoom ends a connection that may give way, if there is one: it waits for another request, its client sends no more
// (it may be gone without another sign), or else it is the one that has been sending the head of a request for longest.
func (f *filter) makeRoom(gives func(*connection) bool) {
	if f.leaving >= f.connections {
		return
	}
	var chosen *connection
	for c := range f.open {
		if !gives(c) {
			continue
		}
		now := stage(c.stage.Load())
		if now == waiting || c.isEnded.Load() {
			chosen = c
			break
		}
		if now == reading && (chosen == nil || c.deadline.Load() < chosen.deadline.Load()) {
			chosen = c
		}
	}
	if chosen == nil {
		return
	}
	delete(f.open, chosen)
	f.leaving++
	if stage(chosen.stage.Load()) == waiting {
		chosen.dismiss()
	} else {
		go chosen.stop(&refusal{503, "limit: connections", "too many connections"})
	}
}

// turnAway says that there are too many connections, without reading what is asked.
func (f *filter) turnAway(client *net.TCPConn) {
	rule := "limit: connections"
	f.log.add(true, field{"decision", "refuse"}, field{"rule", rule})
	c := connection{filter: f, client: client}
	_ = client.SetWriteDeadline(time.Now().Add(linger))
	_, _ = client.Write((&refusal{503, rule, "too many connections"}).answer(""))
	c.finish()
}

// drainOnSignal takes no more connections, lets what is going on end, and ends the process.
func (f *filter) drainOnSignal(listener net.Listener) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	<-asked
	f.isDraining.Store(true)
	listener.Close()
	f.each(func(c *connection) {
		if stage(c.stage.Load()) == waiting {
			c.dismiss()
		}
	})
	f.waitForAll(f.drain)
	f.each(func(c *connection) { c.stop(&refusal{503, "limit: drain", "the proxy is ending"}) })
	f.waitForAll(linger)
	f.log.flush(linger)
	os.Exit(0)
}

// waitForAll waits until no connection is open, or for so long.
func (f *filter) waitForAll(most time.Duration) {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		f.mutex.Lock()
		open := len(f.open)
		f.mutex.Unlock()
		if open == 0 {
			return
		}
	}
}

// logStart puts on record how it begins, and what the lists let through that their author may not have meant.
func (f *filter) logStart(where string) {
	f.log.add(false, field{"event", "start"}, field{"listen", where}, field{"blacklist", len(f.blacklist)},
		field{"whitelist", len(f.whitelist)}, field{"strict", f.strict})
	if f.refused != "" {
		f.log.add(false, field{"event", "warning"}, field{"warning", "every request is refused: " + f.refused})
	}
	f.warn("blacklist", f.blacklist)
	f.warn("whitelist", f.whitelist)
}

func (f *filter) warn(list string, patterns []*pattern) {
	for _, each := range patterns {
		where := ""
		switch {
		case f.strict:
			continue
		case each.openStart && each.openEnd:
			where = "before and after"
		case each.openStart:
			where = "before"
		case each.openEnd:
			where = "after"
		default:
			continue
		}
		f.log.add(false, field{"event", "warning"}, field{"list", list}, field{"pattern", each.text},
			field{"warning", "unanchored: a host may have more " + where + " what matches"})
	}
}

// record puts a request on record when it has ended. Refusals can be had without end; what was dialled is no more than
// there are connections, and always on record.
func (f *filter) record(decision string, now *entry) {
	orNull := func(text string) any {
		if text == "" {
			return nil
		}
		return text
	}
	var port any
	if now.port != 0 {
		port = now.port
	}
	took := time.Since(now.began)
	method := now.method[:min(len(now.method), 32)]
	f.log.add(!now.isDialled,
		field{"method", orNull(method)}, field{"host", orNull(now.host)}, field{"port", port},
		field{"address", orNull(now.address)}, field{"decision", decision}, field{"rule", orNull(now.rule)},
		field{"bytes", []field{{"up", int(now.up.Load())}, {"down", int(now.down.Load())}}},
		field{"duration", seconds(took)})
	if now.host == "" {
		return
	}
	if decision == "refuse" && !now.isDialled {
		f.records.request(method, now.host, now.path, false, took)
		f.records.blocked(method, now.host, now.rule)
	} else if method != "CONNECT" || !now.isDialled {
		f.records.request(method, now.host, now.path, true, took)
	}
}
