//go:build kubernetes1.34

package main

import (
	"context"

	apiserverapp "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apiserveroptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// runAPIServer runs it until it is told to end.
func runAPIServer(ctx context.Context, options apiserveroptions.CompletedOptions) error {
	return apiserverapp.Run(ctx, options)
}
