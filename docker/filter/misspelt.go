package main

// Variables that are meant for the filter and that it does not know: a list under another name would allow everything.

import (
	"errors"
	"sort"
	"strings"
)

var known = []string{
	"ISOL8_BLACKLIST", "ISOL8_WHITELIST", "ISOL8_ALLOW_NETS", "ISOL8_ALLOW_PORTS", "ISOL8_PROXY_HOST", "ISOL8_PROXY_PORT",
	"ISOL8_PROXY_STRICT", "ISOL8_PROXY_LOG", "ISOL8_PROXY_CONNECTIONS", "ISOL8_PROXY_HEADER_SECONDS",
	"ISOL8_PROXY_DIAL_SECONDS", "ISOL8_PROXY_IDLE_SECONDS", "ISOL8_PROXY_DRAIN_SECONDS", "ISOL8_PROXY_RECORDS",
}

// isol8's own launcher sets these for itself.
var others = []string{"ISOL8_BLACKLIST_FILE", "ISOL8_WHITELIST_FILE"}

const mostSlips = 2

// misspelt complains of the first variable that is not known although its name is nearly one of the filter's, or says
// that it is a list, or how the proxy is to be.
func misspelt(environ []string) error {
	sort.Strings(environ)
	for _, each := range environ {
		name, _, _ := strings.Cut(each, "=")
		if has(known, name) || has(others, name) {
			continue
		}
		upper := strings.ToUpper(name)
		nearest, slips := "", mostSlips+1
		for _, right := range known {
			if found := distance(upper, right); found < slips {
				nearest, slips = right, found
			}
		}
		isOurs := strings.HasPrefix(upper, "ISOL8_PROXY_") || strings.HasPrefix(upper, "ISOL8_ALLOW_") ||
			(strings.HasPrefix(upper, "ISOL8_") && strings.HasSuffix(upper, "LIST"))
		if nearest != "" {
			return errors.New(name + ": unknown variable; did you mean " + nearest + "?")
		}
		if isOurs {
			return errors.New(name + ": unknown variable; the filter knows " + strings.Join(known[:4], ", ") + " and ISOL8_PROXY_…")
		}
	}
	return nil
}

// distance returns how many characters have to be added, removed or replaced to get from one name to the other; any
// number past mostSlips if there are more.
func distance(from, to string) int {
	if len(from)-len(to) > mostSlips || len(to)-len(from) > mostSlips {
		return mostSlips + 1
	}
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(from); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(to); j++ {
			cost := diagonal
			if from[i-1] != to[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(to)]
}
