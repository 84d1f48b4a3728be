package main

// Whether any host can match an expression. One that none can match was meant for something else (an address with its
// scheme, say), and on a blacklist it would allow everything.

import "strings"

// hostForm is a machine that reads every host of one form, and more; what it does not read is no such host.
type hostForm struct {
	step  func(at int, character byte) int // nowhere if no host goes on like this
	isEnd func(at int) bool
}

const hostCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-_.:"

// The states of a name: at the start of a label, in one of digits alone, in another one. A name whose last label is a
// number is an IPv4 address, and has its form.
const (
	labelStart = iota
	labelOfDigits
	labelOfOthers
)

var hostForms = []hostForm{
	{stepName, func(at int) bool { return at == labelOfOthers }},
	{stepIPv4, func(at int) bool { return at/4 == 3 && at%4 > 0 }},
	{stepIPv6, func(at int) bool { return at == 2 }},
}

func stepName(at int, character byte) int {
	switch {
	case character == ':' || (character == '.' && at == labelStart):
		return nowhere
	case character == '.':
		return labelStart
	case isDigit(int(character)) && at != labelOfOthers:
		return labelOfDigits
	}
	return labelOfOthers
}

// stepIPv4 counts dots and the digits behind the last one.
func stepIPv4(at int, character byte) int {
	dots, digits := at/4, at%4
	switch {
	case character == '.' && digits > 0 && dots < 3:
		return (dots + 1) * 4
	case isDigit(int(character)) && digits < 3:
		return at + 1
	}
	return nowhere
}

// stepIPv6 counts colons, up to two.
func stepIPv6(at int, character byte) int {
	switch {
	case character == ':':
		return min(at+1, 2)
	case strings.IndexByte("0123456789abcdef", character) >= 0:
		return at
	}
	return nowhere
}

// What may come next, as a set, after assertions that have to hold there.
const (
	nextIsWord = 1 << iota
	nextIsOther
	nextIsEnd
	nextIsAny = nextIsWord | nextIsOther | nextIsEnd
)

// The character before.
const (
	beforeIsNone = iota
	beforeIsWord
	beforeIsOther
)

// place is how far a host and an expression have come together.
type place struct{ state, host, before, next int }

// ahead is the state of an expression whose match has not begun yet.
const ahead = -2

// mostPlaces bounds the search; past it, an expression is taken to match something.
const mostPlaces = 200_000

// isPossible says whether some host matches.
func (c *pattern) isPossible() bool {
	for i := range hostForms {
		if c.isPossibleIn(&hostForms[i]) {
			return true
		}
	}
	return false
}

func (c *pattern) isPossibleIn(form *hostForm) bool {
	seen := map[place]bool{}
	pending := []place{{ahead, 0, beforeIsNone, nextIsAny}}
	for len(pending) > 0 {
		at := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if seen[at] || at.next == 0 {
			continue
		}
		if len(seen) > mostPlaces {
			return true
		}
		seen[at] = true
		var here *state
		if at.state >= 0 {
			here = &c.states[at.state]
		}
		switch {
		case at.state == accepting && at.next&nextIsEnd != 0 && form.isEnd(at.host):
			return true
		case at.state == ahead:
			pending = append(pending, place{c.start, at.host, at.before, nextIsAny})
			pending = readOn(pending, form, at, anyCharacter, ahead)
		case at.state == accepting:
			pending = readOn(pending, form, at, anyCharacter, accepting)
		case here.set != nil:
			pending = readOn(pending, form, at, here.set, here.next)
		default:
			if here.isAssertion {
				at.next &= nextThatHolds(here.what, at.before)
			}
			pending = append(pending, place{here.next, at.host, at.before, at.next})
			if here.other != nowhere {
				pending = append(pending, place{here.other, at.host, at.before, at.next})
			}
		}
	}
	return false
}

// readOn adds where each character of a set leads that a host may have there.
func readOn(pending []place, form *hostForm, at place, set *charSet, state int) []place {
	for i := 0; i < len(hostCharacters); i++ {
		character := hostCharacters[i]
		next, before := nextIsOther, beforeIsOther
		if isWord(int(character)) {
			next, before = nextIsWord, beforeIsWord
		}
		host := form.step(at.host, character)
		if set[character] && at.next&next != 0 && host != nowhere {
			pending = append(pending, place{state, host, before, nextIsAny})
		}
	}
	return pending
}

// nextThatHolds returns what may come next where an assertion holds.
func nextThatHolds(what assertion, before int) int {
	switch {
	case what == atStart && before == beforeIsNone:
		return nextIsAny
	case what == atStart:
		return 0
	case what == atEnd:
		return nextIsEnd
	case (what == atBoundary) == (before == beforeIsWord):
		return nextIsOther | nextIsEnd
	}
	return nextIsWord
}
