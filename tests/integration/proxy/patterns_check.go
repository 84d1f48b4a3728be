// Compares the filter's own matcher, in the files beside this one, with rows that patterns.mjs printed on standard input.
// It prints the first difference as well as how many comparisons there were, and how long the hard expressions take.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

func main() {
	rows := bufio.NewReader(os.Stdin)
	compared, impossible := 0, 0
	for {
		line, err := rows.ReadString('\n')
		if err != nil {
			break
		}
		var text string
		var hosts []string
		var anywhere, whole []bool
		if err := json.Unmarshal([]byte(line), &[]any{&text, &hosts, &anywhere, &whole}); err != nil {
			panic(err)
		}
		for i, host := range hosts {
			for _, anchored := range []bool{false, true} {
				expected := anywhere[i]
				if anchored {
					expected = whole[i]
				}
				pattern, err := compile(text, anchored)
				if err != nil || pattern.matches(host) != expected {
					fmt.Println("different:", text, host, anchored, err)
					os.Exit(1)
				}
				compared++
				// Not the runtimes' word: a host that the filter would see, and that matches, has to be possible.
				isPossible := pattern.isPossible()
				if to, bad := parseAuthority(host, 80); !isPossible && expected && bad == nil && to.host == host {
					fmt.Println("refused although it matches:", text, host, anchored)
					os.Exit(1)
				}
				if !isPossible {
					impossible++
				}
			}
		}
	}
	hard := []string{"(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(.*)*x", "^(([a-z])+.)+[A-Z]([a-z])+$", "(a?){250}a{250}", "(.*a){20}",
		"a*a*a*a*a*a*b"}
	began := time.Now()
	for _, text := range hard {
		pattern, err := compile(text, false)
		if err != nil {
			panic(err)
		}
		pattern.matches(strings.Repeat("a", 252) + ".")
	}
	fmt.Println(compared, time.Since(began) < 2*time.Second, impossible > 0)
}
