package main

// Regular expressions in linear time.
//
// A backtracking engine can take time that doubles with each character of the host. These expressions are run as a set
// of states, so a host of n characters takes n steps. What such a machine cannot do (back-references, look-around), and
// what JavaScript only tolerates, is refused when the filter starts.

import (
	"errors"
	"strconv"
	"strings"
)

const (
	codes       = 128
	mostStates  = 2_000
	mostRepeats = 1_000
	mostNested  = 50
	unbounded   = -1
)

// charSet says of each ASCII code whether it belongs to the set.
type charSet [codes]bool

func setOf(has func(code int) bool) *charSet {
	set := new(charSet)
	for code := range set {
		set[code] = has(code)
	}
	return set
}

func isDigit(code int) bool { return code >= '0' && code <= '9' }

func isWord(code int) bool {
	return isDigit(code) || (code >= 'A' && code <= 'Z') || (code >= 'a' && code <= 'z') || code == '_'
}

func isSpace(code int) bool { return (code >= 9 && code <= 13) || code == ' ' }

func not(has func(int) bool) func(int) bool { return func(code int) bool { return !has(code) } }

var (
	classes = map[byte]*charSet{
		'd': setOf(isDigit), 'D': setOf(not(isDigit)),
		'w': setOf(isWord), 'W': setOf(not(isWord)),
		's': setOf(isSpace), 'S': setOf(not(isSpace)),
	}
	// As in grep -E, by which clients from v0.8.1 on matched; JavaScript takes them for something that no host has.
	posixClasses = map[string]*charSet{
		"[:alnum:]":  setOf(func(code int) bool { return isWord(code) && code != '_' }),
		"[:alpha:]":  setOf(func(code int) bool { return isWord(code) && code != '_' && !isDigit(code) }),
		"[:digit:]":  setOf(isDigit),
		"[:lower:]":  setOf(func(code int) bool { return code >= 'a' && code <= 'z' }),
		"[:punct:]":  setOf(func(code int) bool { return code > ' ' && code < 0x7f && (!isWord(code) || code == '_') }),
		"[:space:]":  setOf(isSpace),
		"[:upper:]":  setOf(func(code int) bool { return code >= 'A' && code <= 'Z' }),
		"[:xdigit:]": setOf(func(code int) bool { return strings.ContainsRune("0123456789abcdefABCDEF", rune(code)) }),
	}
	anyCharacter = setOf(func(code int) bool { return code != '\n' && code != '\r' })
	controls     = map[byte]int{'t': 9, 'n': 10, 'v': 11, 'f': 12, 'r': 13}
)

// folded lets a capital also stand for its small letter, since hosts have no capitals.
func (set *charSet) folded() *charSet {
	return setOf(func(code int) bool { return set[code] || (code >= 'a' && code <= 'z' && set[code-32]) })
}

func literal(wanted int) *charSet {
	return setOf(func(code int) bool { return code == wanted }).folded()
}

type nodeKind int

const (
	setNode nodeKind = iota
	assertNode
	sequenceNode
	choiceNode
	repeatNode
)

type assertion int

const (
	atStart assertion = iota
	atEnd
	atBoundary
	insideWord
)

// node is a part of an expression; each kind uses its own fields.
type node struct {
	kind        nodeKind
	set         *charSet
	what        assertion
	items       []*node // of a sequence, or the options of a choice
	body        *node
	least, most int
}

func edge(what assertion) *node { return &node{kind: assertNode, what: what} }

// patternError is thrown by the parser and caught in parsePattern.
type patternError string

// patternParser reads one expression into a tree.
type patternParser struct {
	text   string
	at     int
	nested int
}

func parsePattern(text string) (tree *node, err error) {
	for i := 0; i < len(text); i++ {
		if text[i] < 0x20 || text[i] > 0x7e {
			return nil, errors.New("only ASCII is taken: hosts are matched as xn-- names")
		}
	}
	defer func() {
		if thrown := recover(); thrown != nil {
			message, isOurs := thrown.(patternError)
			if !isOurs {
				panic(thrown)
			}
			err = errors.New(string(message))
		}
	}()
	parser := patternParser{text: text}
	tree = parser.choice()
	if parser.at < len(text) {
		parser.fail("unmatched )")
	}
	return tree, nil
}

func (p *patternParser) fail(what string) {
	panic(patternError(what + " at " + strconv.Itoa(p.at+1)))
}

func (p *patternParser) rest() string { return p.text[p.at:] }

// eat consumes text if it comes next, and says whether it did.
func (p *patternParser) eat(text string) bool {
	found := strings.HasPrefix(p.rest(), text)
	if found {
		p.at += len(text)
	}
	return found
}

func (p *patternParser) choice() *node {
	options := []*node{p.sequence()}
	for p.eat("|") {
		options = append(options, p.sequence())
	}
	if len(options) == 1 {
		return options[0]
	}
	return &node{kind: choiceNode, items: options}
}

func (p *patternParser) sequence() *node {
	var items []*node
	for p.at < len(p.text) && !strings.ContainsRune("|)", rune(p.text[p.at])) {
		items = append(items, p.repeated(p.atom()))
	}
	if len(items) == 1 {
		return items[0]
	}
	return &node{kind: sequenceNode, items: items}
}

func (p *patternParser) repeated(body *node) *node {
	least, most, found := p.bounds()
	if !found {
		return body
	}
	if body.kind == assertNode {
		p.fail("nothing to repeat")
	}
	p.eat("?") // lazy or not, what matches is the same
	if _, _, again := p.bounds(); again {
		p.fail("nothing to repeat")
	}
	return &node{kind: repeatNode, body: body, least: least, most: most}
}

func (p *patternParser) bounds() (least, most int, found bool) {
	switch {
	case p.eat("*"):
		return 0, unbounded, true
	case p.eat("+"):
		return 1, unbounded, true
	case p.eat("?"):
		return 0, 1, true
	}
	low, high, isRange, length := braces(p.rest())
	if length == 0 {
		return 0, 0, false
	}
	least, most = count(low), count(low)
	if isRange {
		most = unbounded
		if high != "" {
			most = count(high)
		}
	}
	if most != unbounded && least > most {
		p.fail("numbers out of order in {}")
	}
	if least > mostRepeats || most > mostRepeats {
		p.fail("more than " + strconv.Itoa(mostRepeats) + " repeats")
	}
	p.at += length
	return least, most, true
}

// count reads digits; what is past every limit may be any number past it.
func count(digits string) int {
	digits = strings.TrimLeft(digits, "0")
	if len(digits) > 6 {
		digits = digits[:6]
	}
	number, _ := strconv.Atoi("0" + digits)
	return number
}

// braces reads `{2}`, `{2,}` or `{2,3}` at the start of a text; the length is 0 if there is none.
func braces(text string) (low, high string, isRange bool, length int) {
	inside, _, closed := strings.Cut(text, "}")
	if !closed || !strings.HasPrefix(inside, "{") {
		return "", "", false, 0
	}
	low, high, isRange = strings.Cut(inside[1:], ",")
	if low == "" || !allDigits(low) || !allDigits(high) {
		return "", "", false, 0
	}
	return low, high, isRange, len(inside) + 1
}

func allDigits(text string) bool {
	for i := 0; i < len(text); i++ {
		if !isDigit(int(text[i])) {
			return false
		}
	}
	return true
}

func (p *patternParser) atom() *node {
	character := p.text[p.at]
	if strings.IndexByte("*+?", character) >= 0 {
		p.fail("nothing to repeat")
	}
	if strings.IndexByte("{}]", character) >= 0 {
		p.fail("unmatched " + string(character))
	}
	p.at++
	switch character {
	case '(':
		return p.group()
	case '[':
		return &node{kind: setNode, set: p.characterClass()}
	case '\\':
		return p.escape()
	case '^':
		return edge(atStart)
	case '$':
		return edge(atEnd)
	case '.':
		return &node{kind: setNode, set: anyCharacter}
	}
	return &node{kind: setNode, set: literal(int(character))}
}

func (p *patternParser) group() *node {
	if p.eat("?") {
		for _, ahead := range []string{"=", "!", "<=", "<!"} {
			if strings.HasPrefix(p.rest(), ahead) {
				p.fail("look-around is not taken")
			}
		}
		if !p.eat(":") && !p.groupName() {
			p.fail("unknown kind of group")
		}
	}
	p.nested++
	if p.nested > mostNested {
		p.fail("more than " + strconv.Itoa(mostNested) + " nested groups")
	}
	inside := p.choice()
	p.nested--
	if !p.eat(")") {
		p.fail("unmatched (")
	}
	// Wrapped, so that `(^)*` is not taken for a repeated anchor.
	return &node{kind: sequenceNode, items: []*node{inside}}
}

// groupName consumes `<name>`, and says whether there was one.
func (p *patternParser) groupName() bool {
	name, _, closed := strings.Cut(p.rest(), ">")
	if !closed || len(name) < 2 || name[0] != '<' || isDigit(int(name[1])) {
		return false
	}
	for _, character := range name[1:] {
		if !isWord(int(character)) && character != '$' {
			return false
		}
	}
	p.at += len(name) + 1
	return true
}

func (p *patternParser) escape() *node {
	if p.eat("b") {
		return edge(atBoundary)
	}
	if p.eat("B") {
		return edge(insideWord)
	}
	if set := p.namedClass(); set != nil {
		return &node{kind: setNode, set: set}
	}
	return &node{kind: setNode, set: literal(p.escapedCode())}
}

// namedClass consumes the letter of `\d` and the like; nil if there is none.
func (p *patternParser) namedClass() *charSet {
	if p.at == len(p.text) {
		return nil
	}
	set := classes[p.text[p.at]]
	if set != nil {
		p.at++
	}
	return set
}

// escapedCode returns the code that an escape stands for, after its backslash.
func (p *patternParser) escapedCode() int {
	if p.at == len(p.text) {
		p.fail("a lone backslash")
	}
	character := p.text[p.at]
	for prefix, digits := range map[byte]int{'x': 2, 'u': 4} {
		if character|0x20 != prefix || len(p.rest()) <= digits {
			continue
		}
		code, err := strconv.ParseUint(p.rest()[1:digits+1], 16, 32)
		if err != nil {
			continue
		}
		if code >= codes {
			p.fail("only ASCII is taken")
		}
		p.at += digits + 1
		return int(code)
	}
	if code, found := controls[character]; found {
		p.at++
		return code
	}
	if (character >= '1' && character <= '9') || character == 'k' {
		p.fail("back-references are not taken")
	}
	// Others give `\<` and the like a meaning, which a blacklist may rely on; no host has these characters.
	if isWord(int(character)) || strings.IndexByte(" <>`'\"#%&,;@~", character) >= 0 {
		p.fail(`unknown escape \` + string(character))
	}
	p.at++
	return int(character)
}

func (p *patternParser) characterClass() *charSet {
	negated := p.eat("^")
	set := new(charSet)
	for !p.eat("]") {
		from, fromSet := p.classMember()
		isRange := strings.HasPrefix(p.rest(), "-") && len(p.rest()) > 1 && p.rest()[1] != ']'
		if !isRange {
			set.include(from, fromSet)
			continue
		}
		p.at++
		to, toSet := p.classMember()
		switch {
		case fromSet != nil || toSet != nil: // `[\w-.]` means three things, `-` among them
			set.include(from, fromSet)
			set.include(to, toSet)
			set['-'] = true
		case from > to:
			p.fail("range out of order")
		default:
			for code := from; code <= to; code++ {
				set[code] = true
			}
		}
	}
	if negated {
		// A negated class keeps to the letter: folding would make it match less, and a blacklist with it.
		return setOf(func(code int) bool { return !set[code] })
	}
	return set.folded()
}

// classMember returns a code, or the set that a named class is.
func (p *patternParser) classMember() (int, *charSet) {
	if p.at == len(p.text) {
		p.fail("unmatched [")
	}
	for name, set := range posixClasses {
		if p.eat(name) {
			return 0, set
		}
	}
	character := p.text[p.at]
	p.at++
	if character != '\\' {
		return int(character), nil
	}
	if set := p.namedClass(); set != nil {
		return 0, set
	}
	return p.escapedCode(), nil
}

func (set *charSet) include(code int, other *charSet) {
	if other == nil {
		set[code] = true
		return
	}
	for each, has := range other {
		set[each] = set[each] || has
	}
}

// isTied says whether every match of the tree begins (or ends) where the host does.
func (n *node) isTied(what assertion) bool {
	switch n.kind {
	case assertNode:
		return n.what == what
	case choiceNode:
		for _, option := range n.items {
			if !option.isTied(what) {
				return false
			}
		}
		return true
	case repeatNode:
		return n.least > 0 && n.body.isTied(what)
	case sequenceNode:
		for i := range n.items {
			item := n.items[i]
			if what == atEnd {
				item = n.items[len(n.items)-1-i]
			}
			if item.kind != assertNode || item.what == what {
				return item.isTied(what)
			}
		}
	}
	return false
}

// state reads a character of its set, checks its assertion, or (with neither) leads on to one or two others.
type state struct {
	set         *charSet
	isAssertion bool
	what        assertion
	next, other int
}

const (
	accepting = 0
	nowhere   = -1
)

// pattern is a compiled expression. It is not safe for use by several goroutines at once; policy takes care of that.
type pattern struct {
	text               string
	openStart, openEnd bool // whether a host may have more there than what matches
	states             []state
	start              int
	steps              int
	seen               []int
}

// compile reads an expression; an anchored one has to match the whole host.
func compile(text string, anchored bool) (*pattern, error) {
	tree, err := parsePattern(text)
	if err != nil {
		return nil, err
	}
	compiled := &pattern{text: text, openStart: !tree.isTied(atStart), openEnd: !tree.isTied(atEnd)}
	if anchored {
		tree = &node{kind: sequenceNode, items: []*node{edge(atStart), tree, edge(atEnd)}}
	}
	compiled.add(state{next: nowhere, other: nowhere})
	compiled.start = compiled.build(tree, accepting)
	if compiled.steps > mostStates {
		return nil, errors.New("it needs more than " + strconv.Itoa(mostStates) + " states")
	}
	compiled.seen = make([]int, len(compiled.states))
	return compiled, nil
}

func (c *pattern) add(added state) int {
	c.states = append(c.states, added)
	return len(c.states) - 1
}

// build adds the states of a tree that go on to state `next`, and returns the first of them.
func (c *pattern) build(n *node, next int) int {
	c.steps++ // even what adds no state takes time, when repeated often enough
	if c.steps > mostStates {
		return next
	}
	switch n.kind {
	case setNode:
		return c.add(state{set: n.set, next: next, other: nowhere})
	case assertNode:
		return c.add(state{isAssertion: true, what: n.what, next: next, other: nowhere})
	case sequenceNode:
		for i := len(n.items) - 1; i >= 0; i-- {
			next = c.build(n.items[i], next)
		}
		return next
	case choiceNode:
		first := c.build(n.items[len(n.items)-1], next)
		for i := len(n.items) - 2; i >= 0; i-- {
			first = c.add(state{next: c.build(n.items[i], next), other: first})
		}
		return first
	}
	return c.buildRepeat(n, next)
}

func (c *pattern) buildRepeat(n *node, next int) int {
	at := next
	if n.most == unbounded {
		at = c.add(state{next: nowhere, other: next})
		first := c.build(n.body, at)
		c.states[at].next = first
	} else {
		for i := n.least; i < n.most && c.steps <= mostStates; i++ {
			at = c.add(state{next: c.build(n.body, at), other: next})
		}
	}
	for i := 0; i < n.least && c.steps <= mostStates; i++ {
		at = c.build(n.body, at)
	}
	return at
}

// matches says whether the expression matches anywhere in a host.
func (c *pattern) matches(host string) bool {
	for i := range c.seen {
		c.seen[i] = 0
	}
	var active, reached, pending []int
	for at := 0; ; at++ {
		reached = reached[:0]
		for _, index := range active {
			if code := host[at-1]; code < codes && c.states[index].set[code] {
				reached, pending = c.follow(c.states[index].next, host, at, reached, pending)
			}
		}
		reached, pending = c.follow(c.start, host, at, reached, pending)
		if c.seen[accepting] == at+1 {
			return true
		}
		if at == len(host) {
			return false
		}
		active, reached = reached, active
	}
}

// follow gathers in `reached` the states that read a character, of all that `first` leads to without reading.
func (c *pattern) follow(first int, host string, at int, reached, pending []int) ([]int, []int) {
	pending = append(pending[:0], first)
	for len(pending) > 0 {
		index := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if c.seen[index] == at+1 {
			continue
		}
		c.seen[index] = at + 1
		current := &c.states[index]
		switch {
		case current.set != nil:
			reached = append(reached, index)
		case index != accepting && (!current.isAssertion || holds(current.what, host, at)):
			pending = append(pending, current.next)
			if current.other != nowhere {
				pending = append(pending, current.other)
			}
		}
	}
	return reached, pending
}

// holds says whether an assertion is true between the characters before and after `at`.
func holds(what assertion, host string, at int) bool {
	switch what {
	case atStart:
		return at == 0
	case atEnd:
		return at == len(host)
	}
	before := at > 0 && isWord(int(host[at-1]))
	after := at < len(host) && isWord(int(host[at]))
	return (before != after) == (what == atBoundary)
}
