package main

// Hosts as clients write them, and their normal form: what is matched is what is looked up.

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// target is where a request is to go.
type target struct {
	host    string // lower case, xn-- labels, no final dot; an address in its normal form
	port    int
	address netip.Addr // valid if the host is an address
}

// authority writes a target as a URI has it; the port is left out if it is the default one.
func (t target) authority(defaultPort int) string {
	name := t.host
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if t.port == defaultPort {
		return name
	}
	return name + ":" + strconv.Itoa(t.port)
}

// parseAuthority reads host and port as a client wrote them; without a default port (0), the port has to be written.
func parseAuthority(text string, defaultPort int) (target, *refusal) {
	if strings.Contains(text, "@") {
		return target{}, malformed("user information is not taken")
	}
	name, port := splitPort(text, defaultPort)
	if name == "" || port == 0 {
		bad := malformed("bad host or port")
		if defaultPort == 0 {
			bad.text = "CONNECT needs host:port"
		}
		return target{}, bad
	}
	normalise := normaliseName
	if name[0] == '[' {
		normalise = normaliseIPv6
	}
	host, address, bad := normalise(name)
	return target{host: host, port: port, address: address}, bad
}

// splitPort splits `host`, `host:port` or `[address]:port`; the name is "" if the text is none of them.
func splitPort(text string, defaultPort int) (name string, port int) {
	end := strings.IndexByte(text, ':')
	if strings.HasPrefix(text, "[") {
		end = strings.IndexByte(text, ']') + 1
		if end == 0 || strings.ContainsAny(text[1:end-1], "[]") {
			return "", 0
		}
	}
	if end < 0 {
		end = len(text)
	}
	name, rest := text[:end], text[end:]
	if name == "" || (name[0] != '[' && strings.ContainsAny(name, "[]")) {
		return "", 0
	}
	if rest == "" {
		return name, defaultPort
	}
	digits := rest[1:]
	if rest[0] != ':' || digits == "" || digits[0] == '0' || len(digits) > 5 || !allDigits(digits) {
		return "", 0
	}
	port, _ = strconv.Atoi(digits)
	if port > 65535 {
		return "", 0
	}
	return name, port
}

func normaliseIPv6(text string) (string, netip.Addr, *refusal) {
	bare, zone, hasZone := strings.Cut(text[1:len(text)-1], "%")
	address, err := netip.ParseAddr(bare)
	// A zone says which link, and addresses that need one are refused on every link.
	if err != nil || !address.Is6() || (hasZone && !isZone(zone)) {
		return "", netip.Addr{}, malformed("bad IPv6 address")
	}
	address = address.Unmap()
	return address.String(), address, nil
}

func isZone(text string) bool {
	for i := 0; i < len(text); i++ {
		if !isWord(int(text[i])) && strings.IndexByte(".~%-", text[i]) < 0 {
			return false
		}
	}
	return text != ""
}

// normaliseName returns a name in lower case with xn-- labels, or the address that a spelling of an IPv4 address stands
// for, after the URL standard (https://url.spec.whatwg.org/#host-parsing).
func normaliseName(text string) (string, netip.Addr, *refusal) {
	for i := 0; i < len(text); i++ {
		if !isWord(int(text[i])) && text[i] < utf8.RuneSelf && strings.IndexByte(".%-", text[i]) < 0 {
			return "", netip.Addr{}, malformed("bad character in the host")
		}
	}
	plain, err := url.PathUnescape(text)
	if err != nil || !utf8.ValidString(plain) {
		return "", netip.Addr{}, malformed("bad host")
	}
	host, ok := asciiName(plain)
	if !ok {
		return "", netip.Addr{}, malformed("bad host")
	}
	if lastLabelIsNumber(host) {
		address, ok := spelledIPv4(host)
		if !ok {
			return "", netip.Addr{}, malformed("bad host")
		}
		return address.String(), address, nil
	}
	host = strings.TrimSuffix(host, ".")
	if !isHostName(host) {
		return "", netip.Addr{}, malformed("bad host")
	}
	return host, netip.Addr{}, nil
}

// isHostName says whether a name could be in the DNS: labels of 1 to 63 characters, 253 in all.
func isHostName(host string) bool {
	if len(host) > 253 {
		return false
	}
	for _, label := range strings.Split(host, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := 0; i < len(label); i++ {
			if character := label[i]; !isWord(int(character)) && character != '-' {
				return false
			}
		}
	}
	return true
}

// lastLabelIsNumber says whether a host has to be an IPv4 address: its last label is decimal digits or 0x and hexadecimal ones.
func lastLabelIsNumber(host string) bool {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := labels[len(labels)-1]
	_, isNumber := ipv4Number(last)
	return last != "" && (allDigits(last) || isNumber)
}

// spelledIPv4 reads the spellings of an IPv4 address that the C library takes: 127.1, 0x7f.1, 0177.0.0.1, 2130706433.
func spelledIPv4(host string) (netip.Addr, bool) {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(labels) > 4 {
		return netip.Addr{}, false
	}
	var value uint64
	for i, label := range labels {
		number, ok := ipv4Number(label)
		isLast := i == len(labels)-1
		if !ok || (!isLast && number > 255) || (isLast && number >= 1<<(8*(5-len(labels)))) {
			return netip.Addr{}, false
		}
		if isLast {
			value |= number
		} else {
			value |= number << (8 * (3 - i))
		}
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true
}

// ipv4Number reads a part of an IPv4 address: decimal, octal after a 0, hexadecimal after 0x.
func ipv4Number(text string) (uint64, bool) {
	if text == "" {
		return 0, false
	}
	base := 10
	switch {
	case strings.HasPrefix(text, "0x"):
		text, base = text[2:], 16
	case len(text) > 1 && text[0] == '0':
		text, base = text[1:], 8
	}
	if text == "" {
		return 0, true // as the standard has it: `0x` is 0
	}
	number, err := strconv.ParseUint(text, base, 64)
	return number, err == nil
}

// asciiName returns a name in lower case with its international labels as xn-- labels; false if it has characters that
// no name has. Of the mappings of UTS 46 it knows those that people type: capitals, full-width forms, digits in circles
// and the ideographic full stops. What it does not know stays another name than the one that was meant, and since the
// result is both what is matched and what is looked up, that opens nothing.
func asciiName(name string) (string, bool) {
	labels := strings.Split(strings.Map(folded, name), ".")
	for i, label := range labels {
		if strings.HasPrefix(label, "xn--") {
			if !isPunycode(label[4:]) {
				return "", false
			}
			continue
		}
		if isASCII(label) {
			continue
		}
		for _, character := range label {
			if character >= utf8.RuneSelf && !unicode.In(character, unicode.L, unicode.M, unicode.N, unicode.S) {
				return "", false
			}
		}
		encoded, ok := encodePunycode(label)
		if !ok {
			return "", false
		}
		labels[i] = "xn--" + encoded
	}
	return strings.Join(labels, "."), true
}

func folded(character rune) rune {
	switch {
	case character >= 'Ａ'-0x20 && character <= '～':
		character -= 0xfee0
	case character >= '①' && character <= '⑨':
		character += '1' - '①'
	case character == '。' || character == '．' || character == '｡':
		character = '.'
	}
	return unicode.ToLower(character)
}

func isASCII(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Punycode, after RFC 3492.
const (
	punyBase, punyLeast, punyMost  = 36, 1, 26
	punySkew, punyDamp, punyBias   = 38, 700, 72
	punyStart, punyDigits          = 128, "abcdefghijklmnopqrstuvwxyz0123456789"
	longestLabel, highestCodePoint = 63, unicode.MaxRune
)

func adapt(delta, length int, isFirst bool) int {
	if isFirst {
		delta /= punyDamp
	} else {
		delta /= 2
	}
	delta += delta / length
	k := 0
	for ; delta > (punyBase-punyLeast)*punyMost/2; k += punyBase {
		delta /= punyBase - punyLeast
	}
	return k + (punyBase-punyLeast+1)*delta/(delta+punySkew)
}

func threshold(k, bias int) int {
	return min(max(k-bias, punyLeast), punyMost)
}

// encodePunycode encodes a label; false if the result is too long for one.
func encodePunycode(label string) (string, bool) {
	characters := []rune(label)
	if len(characters) > longestLabel {
		return "", false
	}
	var out []byte
	for _, character := range characters {
		if character < punyStart {
			out = append(out, byte(character))
		}
	}
	basic := len(out)
	done := basic
	if basic > 0 {
		out = append(out, '-')
	}
	code, delta, bias := rune(punyStart), 0, punyBias
	for done < len(characters) {
		next := rune(highestCodePoint)
		for _, character := range characters {
			if character >= code && character < next {
				next = character
			}
		}
		delta += int(next-code) * (done + 1)
		code = next
		for _, character := range characters {
			if character < code {
				delta++
			}
			if character != code {
				continue
			}
			q := delta
			for k := punyBase; ; k += punyBase {
				t := threshold(k, bias)
				if q < t {
					break
				}
				out = append(out, punyDigits[t+(q-t)%(punyBase-t)])
				q = (q - t) / (punyBase - t)
			}
			out = append(out, punyDigits[q])
			bias = adapt(delta, done+1, done == basic)
			delta = 0
			done++
		}
		delta++
		code++
	}
	return string(out), len(out) <= longestLabel-len("xn--")
}

// isPunycode says whether what follows xn-- encodes a label: it decodes, and encodes to the same again.
func isPunycode(text string) bool {
	if len(text) > longestLabel {
		return false
	}
	whole := text
	var characters []rune
	if hyphen := strings.LastIndexByte(text, '-'); hyphen >= 0 {
		characters = []rune(text[:hyphen])
		text = text[hyphen+1:]
	}
	code, i, bias := punyStart, 0, punyBias
	for isFirst := true; text != ""; isFirst = false {
		before := i
		for weight, k := 1, punyBase; ; k += punyBase {
			if text == "" {
				return false
			}
			digit := strings.IndexByte(punyDigits, text[0])
			text = text[1:]
			i += digit * weight
			if digit < 0 || i > 1<<31 {
				return false
			}
			t := threshold(k, bias)
			if digit < t {
				break
			}
			weight *= punyBase - t
		}
		length := len(characters) + 1
		bias = adapt(i-before, length, isFirst)
		code += i / length
		i %= length
		if code > highestCodePoint || !unicode.In(rune(code), unicode.L, unicode.M, unicode.N, unicode.S) {
			return false
		}
		characters = append(characters[:i], append([]rune{rune(code)}, characters[i:]...)...)
		i++
	}
	encoded, ok := encodePunycode(string(characters))
	return ok && !isASCII(string(characters)) && encoded == whole
}
