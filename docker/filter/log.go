package main

// What the filter writes down: its own log, and the two files that isol8's clients read after a run.

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	mostUnwritten = 1 << 18
	mostRecorded  = 1 << 25 // bytes in each file of records, which clients read into memory
	writeAgain    = 100 * time.Millisecond
)

// logger writes lines in the order they come, without making anybody wait. With a log file it fails closed: while lines
// cannot be written, nothing may be reached. Standard error is nobody's request: what cannot be written there is dropped.
type logger struct {
	file       *os.File
	mustBeKept bool

	mutex     sync.Mutex
	arrived   *sync.Cond
	unwritten []byte
	broken    string
	lost      int
}

func newLogger(file *os.File) *logger {
	log := &logger{file: file, mustBeKept: file != nil}
	if file == nil {
		log.file = os.Stderr
	}
	log.arrived = sync.NewCond(&log.mutex)
	go log.write()
	return log
}

// add writes an object as one line; one that is spare, and any line that nobody asked to be kept, is lost if too much
// waits already.
func (l *logger) add(isSpare bool, fields ...field) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if (isSpare || !l.mustBeKept) && len(l.unwritten) > mostUnwritten {
		l.lost++
		return
	}
	l.append(fields)
}

func (l *logger) append(fields []field) {
	l.unwritten = appendObject(l.unwritten, append([]field{{"time", timestamp()}}, fields...))
	l.arrived.Signal()
}

// write is the only one that writes; a reader that does not read makes nobody else wait.
func (l *logger) write() {
	for {
		l.mutex.Lock()
		for len(l.unwritten) == 0 {
			l.arrived.Wait()
		}
		piece := l.unwritten
		l.mutex.Unlock()

		written, err := l.file.Write(piece)

		l.mutex.Lock()
		l.broken = ""
		if err != nil && l.mustBeKept {
			l.broken = errorCode(err)
		} else if err != nil {
			written = len(piece)
		}
		l.unwritten = append([]byte(nil), l.unwritten[written:]...)
		if l.lost > 0 && len(l.unwritten) <= mostUnwritten {
			text := strconv.Itoa(l.lost) + " lines are not on record: the log was not written fast enough"
			l.lost = 0
			l.append([]field{{"event", "warning"}, {"warning", text}})
		}
		l.mutex.Unlock()
		if err != nil {
			time.Sleep(writeAgain)
		}
	}
}

// require refuses a request that could not be put on record although somebody wants it to be.
func (l *logger) require() *refusal {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if !l.mustBeKept || (l.broken == "" && len(l.unwritten) <= mostUnwritten) {
		return nil
	}
	why := l.broken
	if why == "" {
		why = "its reader is too slow"
	}
	return &refusal{503, "limit: log", "the log cannot be written: " + why}
}

// flush waits until everything is written, or for so long.
func (l *logger) flush(most time.Duration) {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		l.mutex.Lock()
		isWritten := len(l.unwritten) == 0
		l.mutex.Unlock()
		if isWritten {
			return
		}
	}
}

// records writes network.jsonl and security-events.jsonl as isol8's proxy-handler.sh of v0.8.1 and later does. Its clients
// read them when a run has ended. A folder that somebody else made is not written to, and neither is a full file.
type records struct {
	mutex                   sync.Mutex
	network                 *os.File
	events                  *os.File
	networkSize, eventsSize int
}

func openRecords(folder string) *records {
	if folder == "" {
		return nil
	}
	// Code in the sandbox may write to /tmp as well: nothing is followed that it could have put there.
	if err := os.Mkdir(folder, 0o755); err != nil && !isOwnFolder(folder) {
		return nil
	}
	open := func(name string) *os.File {
		flags := os.O_APPEND | os.O_CREATE | os.O_WRONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
		file, err := os.OpenFile(folder+"/"+name, flags, 0o644)
		if err != nil {
			return nil
		}
		// The clients read the files with the engine's own header of 8 bytes before them, and lose the first line: of the
		// one file always, of the other where a byte of the header is a brace, as of one file in 256.
		if found, err := file.Stat(); err == nil && found.Size() == 0 {
			_, _ = file.WriteString("\n")
		}
		return file
	}
	return &records{network: open("network.jsonl"), events: open("security-events.jsonl")}
}

func isOwnFolder(folder string) bool {
	found, err := os.Lstat(folder)
	if err != nil || !found.IsDir() {
		return false
	}
	status, known := found.Sys().(*syscall.Stat_t)
	return known && int(status.Uid) == os.Getuid() && found.Mode().Perm()&0o022 == 0
}

// request puts a decision on record; path is "" where there is none.
func (r *records) request(method, host, path string, isAllowed bool, took time.Duration) {
	if r == nil {
		return
	}
	action := "BLOCK"
	if isAllowed {
		action = "ALLOW"
	}
	var shownPath any
	if path != "" {
		shownPath = path
	}
	r.write(r.network, &r.networkSize, []field{
		{"timestamp", timestamp()}, {"method", method}, {"host", host}, {"path", shownPath},
		{"action", action}, {"durationMs", int(took.Milliseconds())},
	})
}

// blocked puts on record that the policy refused a request, and by which rule.
func (r *records) blocked(method, host, rule string) {
	if r == nil {
		return
	}
	details := []field{{"method", method}, {"host", host}, {"reason", rule}}
	r.write(r.events, &r.eventsSize, []field{
		{"type", "network_blocked"}, {"timestamp", timestamp()}, {"details", details},
	})
}

func (r *records) write(file *os.File, size *int, fields []field) {
	line := appendObject(nil, fields)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if file != nil && *size+len(line) <= mostRecorded {
		written, _ := file.Write(line)
		*size += written
	}
}

// field is a member of a JSON object. Its value is a string, int, bool, nil, seconds or a list of fields.
type field struct {
	name  string
	value any
}

// seconds is a duration that is written with three decimals at most.
type seconds time.Duration

func timestamp() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }

// appendObject adds fields as an object on a line of its own, in ASCII whatever strings it has.
func appendObject(line []byte, fields []field) []byte {
	return append(appendFields(line, fields), '\n')
}

func appendFields(line []byte, fields []field) []byte {
	for i, each := range fields {
		line = append(line, "{,"[min(i, 1)])
		line = append(append(append(line, '"'), each.name...), `":`...)
		switch value := each.value.(type) {
		case string:
			line = appendString(line, value)
		case int:
			line = strconv.AppendInt(line, int64(value), 10)
		case bool:
			line = strconv.AppendBool(line, value)
		case seconds:
			milliseconds := time.Duration(value).Round(time.Millisecond).Milliseconds()
			line = strconv.AppendFloat(line, float64(milliseconds)/1000, 'f', -1, 64)
		case []field:
			line = appendFields(line, value)
		default:
			line = append(line, "null"...)
		}
	}
	return append(line, '}')
}

// appendString adds a string whose bytes are Latin-1, as HTTP has them.
func appendString(line []byte, text string) []byte {
	const hex = "0123456789abcdef"
	line = append(line, '"')
	for i := 0; i < len(text); i++ {
		switch character := text[i]; {
		case character == '"' || character == '\\':
			line = append(line, '\\', character)
		case character >= 0x20 && character < 0x7f:
			line = append(line, character)
		default:
			line = append(line, '\\', 'u', '0', '0', hex[character>>4], hex[character&15])
		}
	}
	return append(line, '"')
}

// jsonQuoted writes a string of UTF-8 as JSON for people to read.
func jsonQuoted(text string) string {
	var out strings.Builder
	for _, character := range inQuotes(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)) {
		if character < 0x20 {
			out.WriteString(`\u00` + strconv.FormatInt(int64(character)>>4, 16) + strconv.FormatInt(int64(character)&15, 16))
		} else {
			out.WriteRune(character)
		}
	}
	return out.String()
}

var errorNames = map[syscall.Errno]string{
	syscall.EACCES: "EACCES", syscall.EADDRINUSE: "EADDRINUSE", syscall.EADDRNOTAVAIL: "EADDRNOTAVAIL",
	syscall.EAGAIN: "EAGAIN", syscall.ECONNREFUSED: "ECONNREFUSED", syscall.ECONNRESET: "ECONNRESET",
	syscall.EHOSTUNREACH: "EHOSTUNREACH", syscall.EINVAL: "EINVAL", syscall.EIO: "EIO", syscall.EMFILE: "EMFILE",
	syscall.ENETUNREACH: "ENETUNREACH", syscall.ENFILE: "ENFILE", syscall.ENOBUFS: "ENOBUFS", syscall.ENOENT: "ENOENT",
	syscall.ENOSPC: "ENOSPC", syscall.EPERM: "EPERM", syscall.EPIPE: "EPIPE", syscall.EROFS: "EROFS",
	syscall.ETIMEDOUT: "ETIMEDOUT",
}

// errorCode returns the name that the system has for an error, or what it says.
func errorCode(err error) string {
	var number syscall.Errno
	if errors.As(err, &number) && errorNames[number] != "" {
		return errorNames[number]
	}
	return err.Error()
}
