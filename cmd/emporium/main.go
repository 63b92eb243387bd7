// Command emporium is a self-hosted marketplace: coupons, auctions, property
// listings, movies with billing, and recent purchases behind one gateway.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"emporium/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(app.Run(ctx, app.Terminal{Args: os.Args[1:], In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
