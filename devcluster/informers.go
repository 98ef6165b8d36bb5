//go:build !kubernetes1.34

package main

import (
	"context"

	"k8s.io/client-go/tools/cache"

	apiserverapp "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apiserveroptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// runAPIServer runs it until it is told to end. Its informers have a name that may be taken once in a process, and
// that it does not give back itself: the next one could not start.
func runAPIServer(ctx context.Context, options apiserveroptions.CompletedOptions) error {
	name, err := cache.NewInformerName("kube-apiserver")
	if err != nil {
		return err
	}
	defer name.Release()
	options.InformerName = name
	return apiserverapp.Run(ctx, options)
}
