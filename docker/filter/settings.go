package main

// What the environment asks of the filter. A variable that is set and cannot be read is an error: a list that was not
// read would allow everything.

import (
	"errors"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

const mostPatternStates = 1_000_000

// policy decides which hosts, ports and addresses may be reached.
type policy struct {
	blacklist, whitelist []*pattern
	strict               bool
	networks             []netip.Prefix
	ports                map[int]bool
	refused              string // why nothing may be reached at all; "" if the policy could be read
}

// settings is everything that the environment says.
type settings struct {
	policy
	host        netip.Addr
	port        int
	log         *os.File // nil if the log goes to standard error
	records     string   // a folder for the files that isol8's clients read; "" if none
	connections int
	header      time.Duration
	dial        time.Duration
	idle        time.Duration
	drain       time.Duration
}

// environment reads variables, and keeps the first complaint.
type environment struct {
	lookup    func(name string) (string, bool)
	complaint error
}

// readSettings reads the whole environment. The error names the variable; where it listens is known all the same, unless
// that is what is wrong.
func readSettings(lookup func(string) (string, bool)) (settings, error) {
	where := environment{lookup: lookup}
	var read settings
	read.host = setting(&where, "ISOL8_PROXY_HOST", "127.0.0.1", parseListener)
	read.port = setting(&where, "ISOL8_PROXY_PORT", "8118", parsePort)
	read.records, _ = lookup("ISOL8_PROXY_RECORDS")
	if where.complaint != nil {
		read.port = 0
	}
	read.strict = setting(&where, "ISOL8_PROXY_STRICT", "0", parseSwitch)
	patterns := func(text string) ([]*pattern, error) { return parsePatterns(text, read.strict) }
	read.blacklist = setting(&where, "ISOL8_BLACKLIST", "[]", patterns)
	read.whitelist = setting(&where, "ISOL8_WHITELIST", "[]", patterns)
	read.networks = setting(&where, "ISOL8_ALLOW_NETS", "", parseNetworks)
	read.ports = setting(&where, "ISOL8_ALLOW_PORTS", "", parsePorts)
	read.log = setting(&where, "ISOL8_PROXY_LOG", "", openLog)
	read.connections = setting(&where, "ISOL8_PROXY_CONNECTIONS", "512", parseCount)
	read.header = setting(&where, "ISOL8_PROXY_HEADER_SECONDS", "10", parseSeconds)
	read.dial = setting(&where, "ISOL8_PROXY_DIAL_SECONDS", "10", parseSeconds)
	read.idle = setting(&where, "ISOL8_PROXY_IDLE_SECONDS", "300", parseSeconds)
	read.drain = setting(&where, "ISOL8_PROXY_DRAIN_SECONDS", "8", parseSeconds)
	return read, where.complaint
}

func setting[T any](where *environment, name, unset string, parse func(string) (T, error)) T {
	text, isSet := where.lookup(name)
	if !isSet {
		text = unset
	}
	value, err := parse(text)
	if err != nil && where.complaint == nil {
		where.complaint = errors.New(name + ": " + err.Error())
	}
	return value
}

func inQuotes(text string) string { return `"` + text + `"` }

func parsePatterns(text string, strict bool) ([]*pattern, error) {
	list, err := parseStrings(text)
	if err != nil {
		return nil, err
	}
	var patterns []*pattern
	states := 0
	for _, item := range list {
		compiled, err := compile(item, strict)
		if err != nil {
			return nil, errors.New(jsonQuoted(item) + ": " + err.Error() + hint(item))
		}
		if !compiled.isPossible() {
			why := hostsAre
			if strict {
				why += ", and ISOL8_PROXY_STRICT has it match all of one"
			}
			return nil, errors.New(jsonQuoted(item) + ": no host can match it: " + why)
		}
		patterns = append(patterns, compiled)
		states += len(compiled.states)
	}
	if states > mostPatternStates {
		return nil, errors.New("the expressions need more than " + strconv.Itoa(mostPatternStates) + " states")
	}
	return patterns, nil
}

const hostsAre = "hosts are names and addresses alone, without scheme, port, path, brackets and blanks"

// hint says what to write instead of `*.example.org`.
func hint(text string) string {
	domain, isGlob := strings.CutPrefix(text, "*.")
	if !isGlob || !isHostName(domain) {
		return ""
	}
	return "; for all hosts of a domain write ^([a-z0-9-]+\\\\.)*" + strings.ReplaceAll(domain, ".", "\\\\.") + "$ (in JSON)"
}

// listed splits a comma-separated text; an empty one has no members.
func listed(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func parseNetworks(text string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, item := range listed(text) {
		network, err := parseNetwork(item)
		if err != nil {
			return nil, err
		}
		networks = append(networks, network)
	}
	return networks, nil
}

func parsePorts(text string) (map[int]bool, error) {
	ports := map[int]bool{80: true, 443: true}
	for _, item := range listed(text) {
		port, err := parsePort(item)
		if err != nil {
			return nil, err
		}
		ports[port] = true
	}
	return ports, nil
}

func parsePort(text string) (int, error) {
	digits := strings.TrimSpace(text)
	number, err := strconv.Atoi(digits)
	if err != nil || !allDigits(digits) || len(digits) > 5 || number < 1 || number > 65535 {
		return 0, errors.New(inQuotes(text) + " is not a port")
	}
	return number, nil
}

func parseSwitch(text string) (bool, error) {
	if text != "0" && text != "1" {
		return false, errors.New(inQuotes(text) + " is neither 0 nor 1")
	}
	return text == "1", nil
}

func parseCount(text string) (int, error) {
	number, err := strconv.Atoi(text)
	if err != nil || !allDigits(text) || text[0] == '0' || len(text) > 6 {
		return 0, errors.New(inQuotes(text) + " is not a number from 1 to 999999")
	}
	return number, nil
}

// parseSeconds reads seconds with up to three decimals.
func parseSeconds(text string) (time.Duration, error) {
	whole, part, hasPart := strings.Cut(text, ".")
	seconds, err := strconv.ParseFloat(text, 64)
	isWritten := whole != "" && len(whole) <= 6 && allDigits(whole) && (part != "") == hasPart && len(part) <= 3 && allDigits(part)
	if err != nil || !isWritten || seconds == 0 {
		return 0, errors.New(inQuotes(text) + " is not a number of seconds")
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

func parseListener(text string) (netip.Addr, error) {
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" {
		return netip.Addr{}, errors.New(inQuotes(text) + " is not an address to listen on")
	}
	return address.Unmap(), nil
}

// openLog opens the file that the log is added to; nil if it goes to standard error.
func openLog(text string) (*os.File, error) {
	if text == "" {
		return nil, nil
	}
	if !strings.HasPrefix(text, "/") {
		return nil, errors.New(inQuotes(text) + " is not an absolute path")
	}
	file, err := os.OpenFile(text, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, errors.New(errorCode(err) + ": it cannot be opened")
	}
	return file, nil
}

// jsonReader reads the one kind of JSON that policies are: an array of strings. encoding/json would add a megabyte.
type jsonReader struct {
	text string
	at   int
}

var (
	errNotJSON    = errors.New("not JSON")
	errNotStrings = errors.New("not a JSON array of strings")
)

func parseStrings(text string) ([]string, error) {
	reader := jsonReader{text: text}
	list := []string{}
	if !reader.eat('[') {
		return nil, reader.complaint()
	}
	for !reader.eat(']') {
		if len(list) > 0 && !reader.eat(',') {
			return nil, errNotJSON
		}
		if !reader.eat('"') {
			return nil, reader.complaint()
		}
		item, ok := reader.stringRest()
		if !ok {
			return nil, errNotJSON
		}
		list = append(list, item)
	}
	if reader.blanks(); reader.at < len(text) {
		return nil, errNotJSON
	}
	return list, nil
}

// complaint says what is wrong where a `[` or a string was expected.
func (r *jsonReader) complaint() error {
	if r.at < len(r.text) && strings.IndexByte(`"{[tfn-0123456789`, r.text[r.at]) >= 0 {
		return errNotStrings
	}
	return errNotJSON
}

func (r *jsonReader) blanks() {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
}

func (r *jsonReader) eat(character byte) bool {
	r.blanks()
	found := r.at < len(r.text) && r.text[r.at] == character
	if found {
		r.at++
	}
	return found
}

// stringRest reads a string from behind its first quotation mark.
func (r *jsonReader) stringRest() (string, bool) {
	var out []byte
	for r.at < len(r.text) {
		character := r.text[r.at]
		r.at++
		switch {
		case character == '"':
			return string(out), true
		case character < 0x20:
			return "", false
		case character != '\\':
			out = append(out, character)
			continue
		}
		if r.at == len(r.text) {
			return "", false
		}
		escape := r.text[r.at]
		r.at++
		if plain := strings.IndexByte(`"\/bfnrt`, escape); plain >= 0 {
			out = append(out, "\"\\/\b\f\n\r\t"[plain])
			continue
		}
		unit, ok := r.unit()
		if escape != 'u' || !ok {
			return "", false
		}
		if utf16.IsSurrogate(unit) && strings.HasPrefix(r.text[r.at:], `\u`) {
			r.at += 2
			low, ok := r.unit()
			if !ok {
				return "", false
			}
			unit = utf16.DecodeRune(unit, low)
		}
		out = utf8.AppendRune(out, unit)
	}
	return "", false
}

func (r *jsonReader) unit() (rune, bool) {
	if r.at+4 > len(r.text) {
		return 0, false
	}
	value, err := strconv.ParseUint(r.text[r.at:r.at+4], 16, 16)
	r.at += 4
	return rune(value), err == nil
}
