package main

// The decision about a target: its host, its port, and each of its addresses.

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
)

// matching guards the patterns, which keep notes while they run.
var matching sync.Mutex

func firstMatch(patterns []*pattern, host string) *pattern {
	matching.Lock()
	defer matching.Unlock()
	for _, each := range patterns {
		if each.matches(host) {
			return each
		}
	}
	return nil
}

// judge returns the rule that lets a target through, or a refusal. `what` is how the request is called.
func (p *policy) judge(to target, what string) (string, *refusal) {
	refuse := func(rule, why string) *refusal {
		return &refusal{403, rule, what + " to " + to.host + " blocked by network filter" + why}
	}
	if p.refused != "" {
		return "", &refusal{503, "policy: " + p.refused, "the policy of the network filter cannot be read: " + p.refused}
	}
	if bad := firstMatch(p.blacklist, to.host); bad != nil {
		return "", refuse("blacklist: "+bad.text, "")
	}
	good := firstMatch(p.whitelist, to.host)
	if good == nil && len(p.whitelist) > 0 {
		return "", refuse("whitelist: no match", "")
	}
	if !p.ports[to.port] {
		port := strconv.Itoa(to.port)
		return "", refuse("port: "+port, ": port "+port+" is not in ISOL8_ALLOW_PORTS")
	}
	if good == nil {
		return "whitelist: empty", nil
	}
	return "whitelist: " + good.text, nil
}

// vetted returns the addresses of a target, all of them vetted: a name with one bad answer is refused.
func (s *settings) vetted(ctx context.Context, to target, what string, entry *entry) ([]netip.Addr, error) {
	refuse := func(rule, why string) error {
		return &refusal{403, rule, what + " to " + to.host + " blocked by network filter: " + why}
	}
	answers := []netip.Addr{to.address}
	if !to.address.IsValid() {
		var err error
		if answers, err = resolve(ctx, to.host); err != nil && isOver(ctx) {
			return nil, gone{"it took too long"}
		} else if err != nil {
			return nil, refuse("dns", "it has no address ("+err.Error()+")")
		}
	}
	for _, address := range answers {
		entry.address = address.String()
		if s.isOwn(address, to.port) {
			return nil, refuse("address: own", entry.address+" is the proxy itself")
		}
		if kind := refusedKind(address, s.networks); kind != "" {
			return nil, refuse("address: "+kind, entry.address+" ("+kind+") is not in ISOL8_ALLOW_NETS")
		}
	}
	return answers, nil
}

var resolver = net.Resolver{PreferGo: true}

// files keeps many requests from reading files at once, each of them on a thread of its own.
var files sync.Mutex

// resolve looks a name up as it was judged: a final dot keeps the resolver from completing it with the container's
// search domains.
func resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if known := inHosts(host); len(known) > 0 {
		return known, nil
	}
	answers, err := resolver.LookupNetIP(ctx, "ip", host+".")
	var failed *net.DNSError
	if errors.As(err, &failed) {
		err = errors.New(failed.Err)
	}
	if err == nil && len(answers) == 0 {
		err = errors.New("no answer")
	}
	return answers, err
}

// inHosts returns what /etc/hosts says of a name. The resolver would read it too, but does not tell an IPv4 address there
// from an IPv4-mapped address in the DNS.
func inHosts(host string) []netip.Addr {
	files.Lock()
	text, err := os.ReadFile("/etc/hosts")
	files.Unlock()
	if err != nil {
		return nil
	}
	var found []netip.Addr
	for _, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(strings.ToLower(line))
		if len(words) < 2 || !(has(words[1:], host) || has(words[1:], host+".")) {
			continue
		}
		if address, err := netip.ParseAddr(words[0]); err == nil {
			found = append(found, address.WithZone(""))
		}
	}
	return found
}

// isOwn says whether a connection there would end up at the filter.
func (s *settings) isOwn(address netip.Addr, port int) bool {
	if port != s.port {
		return false
	}
	address = address.Unmap()
	if address.IsLoopback() || address.IsUnspecified() || address == s.host {
		return true
	}
	mine, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, each := range mine {
		if prefix, err := netip.ParsePrefix(each.String()); err == nil && prefix.Addr().Unmap() == address {
			return s.host.IsUnspecified()
		}
	}
	return false
}
