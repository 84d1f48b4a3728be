package main

// Connecting: to vetted addresses only, and nothing else in this program connects anywhere.

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const headStart = 300 * time.Millisecond

type dialled struct {
	server  *net.TCPConn
	address netip.Addr
	err     error
}

// dial connects to the first of these addresses that answers; the next one is tried beside it after a moment.
func dial(ctx context.Context, addresses []netip.Addr, port int) (*net.TCPConn, netip.Addr, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	outcomes := make(chan dialled, len(addresses))
	timer := time.NewTimer(0)
	defer timer.Stop()
	waiting, tried := addresses, 0
	for {
		select {
		case <-timer.C:
			if len(waiting) > 0 {
				go connectTo(ctx, waiting[0], port, outcomes)
				waiting = waiting[1:]
				tried++
				timer.Reset(headStart)
			}
		case outcome := <-outcomes:
			tried--
			if outcome.err == nil {
				go closeAll(outcomes, tried)
				return outcome.server, outcome.address, nil
			}
			if isOver(ctx) {
				return nil, netip.Addr{}, gone{"it took too long"}
			}
			if len(waiting) > 0 {
				timer.Reset(0)
			} else if tried == 0 {
				return nil, netip.Addr{}, outcome.err
			}
		}
	}
}

// isOver says whether the time for looking up and connecting is over. The context itself may know it a moment later than
// what was waited for.
func isOver(ctx context.Context) bool {
	deadline, _ := ctx.Deadline()
	return !time.Now().Before(deadline)
}

// connectTo dials an address, never a name: nothing is resolved a second time.
func connectTo(ctx context.Context, address netip.Addr, port int, outcomes chan<- dialled) {
	var dialer net.Dialer
	to := netip.AddrPortFrom(address, uint16(port)).String()
	connection, err := dialer.DialContext(ctx, "tcp", to)
	server, _ := connection.(*net.TCPConn)
	outcomes <- dialled{server, address, err}
}

// closeAll closes what connects after another one has won.
func closeAll(outcomes <-chan dialled, count int) {
	for ; count > 0; count-- {
		if late := <-outcomes; late.err == nil {
			late.server.Close()
		}
	}
}

// unreachable says what an error of dialling means for the client.
func unreachable(to target, err error) *refusal {
	reason := errorCode(err)
	text := to.host + " cannot be reached: " + reason
	var tooLong gone
	switch {
	case errors.As(err, &tooLong):
		return &refusal{503, "limit: dial", text}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOBUFS):
		return &refusal{503, "dial: " + reason, text}
	}
	return &refusal{502, "dial: " + reason, text}
}
