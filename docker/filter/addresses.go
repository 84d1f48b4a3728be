package main

// Which addresses are public.

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// special lists the networks that are not public, and what they are called; the first that contains an address gives
// the name. Source: IANA's registries of special-purpose addresses, and what clouds document of their metadata services.
var special = []struct {
	network netip.Prefix
	kind    string
}{
	{netip.MustParsePrefix("169.254.169.254/32"), "metadata"},
	{netip.MustParsePrefix("169.254.170.2/32"), "metadata"},
	{netip.MustParsePrefix("169.254.170.23/32"), "metadata"},
	{netip.MustParsePrefix("100.100.100.200/32"), "metadata"},
	{netip.MustParsePrefix("192.0.0.192/32"), "metadata"},
	{netip.MustParsePrefix("168.63.129.16/32"), "metadata"},
	{netip.MustParsePrefix("fd00:ec2::254/128"), "metadata"},
	{netip.MustParsePrefix("fd00:ec2::23/128"), "metadata"},
	{netip.MustParsePrefix("fd20:ce::254/128"), "metadata"},
	{netip.MustParsePrefix("0.0.0.0/32"), "unspecified"},
	{netip.MustParsePrefix("0.0.0.0/8"), "reserved"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "CGNAT"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("255.255.255.255/32"), "broadcast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{mapped, "IPv4-mapped"},
	{netip.MustParsePrefix("::/96"), "IPv4-compatible"},
	{netip.MustParsePrefix("64:ff9b::/96"), "NAT64"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "NAT64"},
	{netip.MustParsePrefix("100::/64"), "discard"},
	{netip.MustParsePrefix("2001::/32"), "Teredo"},
	{netip.MustParsePrefix("2001::/23"), "reserved"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation"},
	{netip.MustParsePrefix("2002::/16"), "6to4"},
	{netip.MustParsePrefix("3fff::/20"), "documentation"},
	{netip.MustParsePrefix("fc00::/7"), "private"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("fec0::/10"), "site-local"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
}

var (
	mapped     = netip.MustParsePrefix("::ffff:0:0/96")
	globalIPv6 = netip.MustParsePrefix("2000::/3")
)

// carriers says where an IPv4 address stands in an IPv6 address that leads to it: the offset of its first byte, and
// what its bits are flipped with.
var carriers = []struct {
	network netip.Prefix
	offset  int
	flip    uint32
}{
	{mapped, 12, 0},
	{netip.MustParsePrefix("::/96"), 12, 0},
	{netip.MustParsePrefix("64:ff9b::/96"), 12, 0},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12, 0},
	{netip.MustParsePrefix("2002::/16"), 2, 0},
	{netip.MustParsePrefix("2001::/32"), 12, 0xffffffff},
}

// specialKind returns what keeps an address from being public; "" if nothing does.
func specialKind(address netip.Addr) string {
	for _, each := range special {
		if each.network.Contains(address) {
			return each.kind
		}
	}
	if address.Is6() && !globalIPv6.Contains(address) {
		return "reserved"
	}
	return ""
}

// refusedKind returns the kind of an address that is refused; "" if it may be dialled. An address that carries an
// IPv4 address needs both allowed.
func refusedKind(address netip.Addr, allowed []netip.Prefix) string {
	kind := specialKind(address)
	if kind == "" {
		return ""
	}
	isAllowed := false
	for _, network := range allowed {
		isAllowed = isAllowed || network.Contains(address)
	}
	if !isAllowed {
		return kind
	}
	bytes := address.As16()
	for _, carrier := range carriers {
		// The two addresses that ::/96 has of its own carry none.
		isOwn := address == netip.IPv6Loopback() || address == netip.IPv6Unspecified()
		if isOwn || !carrier.network.Contains(address) {
			continue
		}
		value := binary.BigEndian.Uint32(bytes[carrier.offset:]) ^ carrier.flip
		var carried [4]byte
		binary.BigEndian.PutUint32(carried[:], value)
		return refusedKind(netip.AddrFrom4(carried), allowed)
	}
	return ""
}

// parseNetwork reads a network like 10.0.0.0/8.
func parseNetwork(text string) (netip.Prefix, error) {
	start, bits, found := strings.Cut(strings.TrimSpace(text), "/")
	address, err := netip.ParseAddr(start)
	length, bad := strconv.Atoi(bits)
	if !found || err != nil || bad != nil || address.Zone() != "" || !allDigits(bits) || length > address.BitLen() {
		return netip.Prefix{}, errors.New(inQuotes(text) + " is not a network like 10.0.0.0/8")
	}
	network := netip.PrefixFrom(address, length)
	for _, bit := range trailingBits(address, length) {
		if bit {
			return netip.Prefix{}, errors.New(inQuotes(text) + " has bits set behind its prefix")
		}
	}
	return network, nil
}

func trailingBits(address netip.Addr, from int) []bool {
	var found []bool
	bytes := address.AsSlice()
	for bit := from; bit < address.BitLen(); bit++ {
		found = append(found, bytes[bit/8]>>(7-bit%8)&1 == 1)
	}
	return found
}
